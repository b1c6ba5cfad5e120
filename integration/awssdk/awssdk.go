// Package awssdk has the API models of the AWS services: which actions there
// are, how they are called, and what they take and give.
//
// The models are embedded, compressed, and one service is decoded when it is
// asked for; nothing of it is kept. Names are those of Step Functions: a
// service is called as in arn:aws:states:::aws-sdk:SERVICE:ACTION.
//
// Stability: may move in any minor release.
package awssdk

import (
	"archive/zip"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-json-experiment/json"
)

// models is a zip archive with one file for each service. See models/README.md
// for where it comes from.
//
//go:embed models/models.zip
var models string

// Load gives the model of a service, nil when there is no such service.
func Load(name string) *Service {
	archive, err := zip.NewReader(strings.NewReader(models), int64(len(models)))
	if err != nil {
		panic(fmt.Sprint("awssdk: the embedded models are broken: ", err))
	}
	file, err := archive.Open(name + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var s Service
	if err == nil {
		err = errors.Join(json.UnmarshalRead(file, &s), file.Close())
	}
	if err != nil {
		panic(fmt.Sprintf("awssdk: the embedded model of %s is broken: %v", name, err))
	}
	return &s
}

// Action gives the operation that an action of a Task's Resource names:
// "describeDBInstances" is DescribeDBInstances. It is nil when there is none.
func (s *Service) Action(name string) *Operation {
	return s.Operations[capitalized(name)]
}

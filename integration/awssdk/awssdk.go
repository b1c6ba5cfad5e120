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

	"github.com/steppehq/steppe/asl"
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
	if name == "" || isUpper(name[0]) {
		return nil
	}
	return s.Operations[capitalized(name)]
}

// Recognizer makes a function that tells whether AWS has what the Resource of a
// Task names. It judges only service integrations, and is for one goroutine.
func Recognizer() func(asl.Resource) bool {
	services := make(map[string]*Service)
	return func(r asl.Resource) bool {
		name, ok := strings.CutPrefix(r.Service, "aws-sdk:")
		if !ok {
			return r.Kind != asl.ServiceResource || r.Optimized()
		}
		s, loaded := services[name]
		if !loaded {
			s = Load(name)
			services[name] = s
		}
		return s != nil && s.Action(r.Action) != nil
	}
}

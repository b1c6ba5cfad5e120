// Command generate makes models/models.zip of the API models in the data
// folder of the Python package botocore, whose version models/README.md names:
//
//	go run ./aws/model/internal/generate DIR/botocore/data
//
// It keeps of each service's newest model what [model.Service] has.
package main

import (
	"archive/zip"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/steppehq/steppe/aws/model"
)

const target = "aws/model/models/models.zip"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./aws/model/internal/generate DIR/botocore/data")
		os.Exit(2)
	}
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func generate(data string) error {
	services, err := read(data)
	if err != nil {
		return err
	}
	file, err := os.Create(target)
	if err != nil {
		return err
	}
	return errors.Join(write(file, services), file.Close())
}

// read returns the newest model of each service by the service's name in ARNs.
// Where two folders are of one service, the later in the alphabet is newer.
func read(data string) (map[string]*model.Service, error) {
	files, err := filepath.Glob(filepath.Join(data, "*", "*", "service-2.json.gz"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no SERVICE/VERSION/service-2.json.gz", data)
	}
	slices.Sort(files) // older versions first
	services := make(map[string]*model.Service)
	for _, name := range files {
		s, err := readModel(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		services[s.Name()] = s
	}
	return services, nil
}

func readModel(name string) (*model.Service, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	var s model.Service
	text, err := gzip.NewReader(file)
	if err == nil {
		err = json.UnmarshalRead(text, &s)
	}
	return &s, errors.Join(err, file.Close())
}

// write makes the same bytes of the same models.
func write(w io.Writer, services map[string]*model.Service) error {
	archive := zip.NewWriter(w)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, name := range slices.Sorted(maps.Keys(services)) {
		text, err := json.Marshal(services[name], json.Deterministic(true))
		if err != nil {
			return err
		}
		entry, err := archive.Create(name + ".json")
		if err != nil {
			return err
		}
		if _, err := entry.Write(text); err != nil {
			return err
		}
	}
	return archive.Close()
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/integration/lambda"
)

// configFile is what steppe.yaml may hold.
type configFile struct {
	Functions map[string]functionConfig `yaml:"functions"`
	// Substitutions say what stands for ${NAME} in the definitions beside the file.
	Substitutions substitutions `yaml:"substitutions"`
}

// functionConfig says how a Lambda function runs.
type functionConfig struct {
	Runtime     string            `yaml:"runtime"`
	Handler     string            `yaml:"handler"`
	Dir         string            `yaml:"dir"`
	URL         string            `yaml:"url"`
	Timeout     time.Duration     `yaml:"timeout"`
	Concurrency int               `yaml:"concurrency"`
	Env         map[string]string `yaml:"env"`
	PassEnv     []string          `yaml:"passEnv"`
	Account     string            `yaml:"account"`
}

// loadConfig reads a configuration file and gives its functions, in the order
// of their names. Directories are relative to the file.
func loadConfig(path string) ([]steppe.Function, error) {
	var c configFile
	if err := readYAML(path, &c); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(c.Functions))
	for name := range c.Functions {
		names = append(names, name)
	}
	slices.Sort(names)
	functions := make([]steppe.Function, 0, len(names))
	for _, name := range names {
		fc := c.Functions[name]
		if (fc.URL == "") == (fc.Runtime == "") {
			return nil, fmt.Errorf("%s: function %s: give either a runtime or a url", path, name)
		}
		dir := fc.Dir
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(path), dir)
		}
		functions = append(functions, steppe.Function{
			URL: fc.URL, Account: fc.Account,
			Process: lambda.Process{
				Name: name, Runtime: fc.Runtime, Handler: fc.Handler, Dir: dir,
				Env: fc.Env, PassEnv: fc.PassEnv, Timeout: fc.Timeout, Concurrency: fc.Concurrency,
			},
		})
	}
	return functions, nil
}

// findFunctions looks for functions beside a definition: those of steppe.yaml,
// or else the files of the folder functions: NAME.py with a function handler,
// NAME.mjs or NAME.js that exports one, and executables.
func findFunctions(dir string) ([]steppe.Function, error) {
	functions, err := loadConfig(filepath.Join(dir, "steppe.yaml"))
	if !errors.Is(err, fs.ErrNotExist) {
		return functions, err
	}
	folder := filepath.Join(dir, "functions")
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		extension := filepath.Ext(entry.Name())
		name := strings.TrimSuffix(entry.Name(), extension)
		p := lambda.Process{Name: name, Dir: folder, Handler: name + ".handler", Timeout: 30 * time.Second}
		info, err := entry.Info()
		if err != nil {
			return nil, err
		}
		switch {
		case entry.IsDir():
			continue
		case extension == ".py":
			p.Runtime = "python"
		case extension == ".mjs" || extension == ".js":
			p.Runtime = "nodejs"
		case info.Mode()&0o111 != 0:
			p.Runtime, p.Handler = "provided", entry.Name()
		default:
			continue
		}
		functions = append(functions, steppe.Function{Process: p})
	}
	return functions, nil
}

package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
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
	Interpreter string            `yaml:"interpreter"`
	Removed     bool              `yaml:"removed"`
}

// loadConfig reads a configuration file and returns its functions by name.
// Directories are relative to the file. What says neither runtime nor url takes
// that of the folder's function of its name; missing tells of those without one.
func loadConfig(path string, folder map[string]steppe.Function) (functions map[string]steppe.Function, missing []string, err error) {
	var c configFile
	if err := readYAML(path, &c); err != nil {
		return nil, nil, err
	}
	functions = make(map[string]steppe.Function, len(c.Functions))
	for _, name := range slices.Sorted(maps.Keys(c.Functions)) {
		fc := c.Functions[name]
		base, inFolder := folder[name]
		p := lambda.Process{Name: name, Runtime: fc.Runtime, Handler: fc.Handler, Dir: fc.Dir}
		if !filepath.IsAbs(p.Dir) {
			p.Dir = filepath.Join(filepath.Dir(path), p.Dir)
		}
		switch {
		case fc.Removed:
		case fc.URL == "" && fc.Runtime == "" && inFolder && fc.Dir == "":
			p.Runtime, p.Dir = base.Runtime, base.Dir
			if p.Handler == "" {
				p.Handler = base.Handler
			}
		case fc.URL == "" && fc.Runtime == "":
			missing = append(missing, fmt.Sprintf("function %s of %s: there is no %s in the folder %s, and it has neither a runtime nor a url", name, path, name, functionsFolder))
			continue // its tasks wait for it
		case fc.URL != "" && fc.Runtime != "":
			return nil, nil, fmt.Errorf("%s: function %s: give either a runtime or a url", path, name)
		}
		p.Env, p.PassEnv, p.Timeout, p.Concurrency, p.Interpreter = fc.Env, fc.PassEnv, fc.Timeout, fc.Concurrency, fc.Interpreter
		functions[name] = steppe.Function{URL: fc.URL, Account: fc.Account, Removed: fc.Removed, Process: p}
	}
	return functions, missing, nil
}

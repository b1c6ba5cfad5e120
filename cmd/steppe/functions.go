package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/integration/lambda"
)

// functionsFolder is where functions are found by themselves.
const functionsFolder = "functions"

// found is the functions of a folder and of a configuration file together.
type found struct {
	dir       string // that the folder stands in
	file      string // "" for none
	functions []steppe.Function
	passed    []string // what was passed over, and why
}

// findFunctions looks for functions: those of the configuration file (steppe.yaml
// of dir where none is named), and those of the folder functions in dir. Where both
// have one of a name, the file's counts.
func findFunctions(dir, config string) (*found, error) {
	f := &found{dir: dir, file: config}
	all := make(map[string]steppe.Function)
	entries, err := os.ReadDir(filepath.Join(dir, functionsFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range entries {
		name, passed := f.nameOf(entry)
		if passed != "" {
			f.passed = append(f.passed, passed)
		}
		if name == "" {
			continue
		}
		if p, ok := findFunction(dir, name); ok {
			all[name] = steppe.Function{Process: p}
		} else {
			f.passed = append(f.passed, filepath.Join(functionsFolder, name)+" holds none of "+strings.Join(handlerFiles, ", "))
		}
	}
	if config == "" {
		f.file = filepath.Join(dir, "steppe.yaml")
	}
	configured, missing, err := loadConfig(f.file, all)
	f.passed = append(f.passed, missing...)
	switch {
	case err == nil:
		maps.Copy(all, configured)
	case config == "" && errors.Is(err, fs.ErrNotExist):
		f.file = ""
	default:
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f.functions = append(f.functions, all[name])
	}
	return f, nil
}

// nameOf is the name of the function that an entry of the folder may be, "" for
// one that is none; passed tells why it was passed over, where that is not plain.
func (f *found) nameOf(entry fs.DirEntry) (name, passed string) {
	name = strings.TrimSuffix(entry.Name(), filepath.Ext(entry.Name()))
	at := filepath.Join(functionsFolder, entry.Name())
	if strings.HasPrefix(entry.Name(), ".") || strings.HasPrefix(name, "__") || entry.Name() == "node_modules" {
		return "", ""
	}
	switch extension := filepath.Ext(entry.Name()); {
	case entry.IsDir():
		return entry.Name(), ""
	case extension == ".py", slices.Contains(nodeEndings, extension):
		return name, ""
	case extension == ".ts" || extension == ".mts":
		return "", at + " is TypeScript: compile it to " + name + ".mjs"
	}
	if info, err := entry.Info(); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
		return name, ""
	}
	return "", ""
}

var nodeEndings = []string{".mjs", ".js", ".cjs"}

// handlerFiles are those of a function's folder that hold its handler, the first
// that is there: as the tools for Lambda make them.
var handlerFiles = []string{
	"app.py", "lambda_function.py", "handler.py", "index.py", "main.py",
	"index.mjs", "index.js", "index.cjs", "app.mjs", "app.js", "handler.mjs", "handler.js", "bootstrap",
}

// findFunction looks for the function of a name in the folder functions: NAME.py,
// NAME.mjs, NAME.js, NAME.cjs, an executable NAME, or a folder NAME with one of
// handlerFiles or a file of its own name.
func findFunction(dir, name string) (lambda.Process, bool) {
	folder := filepath.Join(dir, functionsFolder)
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return lambda.Process{}, false
	}
	own := []string{name + ".py", name + ".mjs", name + ".js", name + ".cjs"}
	if p, ok := handlerIn(folder, name, own); ok {
		return p, true
	}
	if p, ok := handlerIn(filepath.Join(folder, name), name, append(slices.Clone(handlerFiles), own...)); ok {
		return p, true
	}
	matches, _ := filepath.Glob(filepath.Join(folder, strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`).Replace(name)+"*"))
	for _, path := range matches {
		file := filepath.Base(path)
		info, err := os.Stat(path)
		if strings.TrimSuffix(file, filepath.Ext(file)) == name && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return lambda.Process{Name: name, Runtime: "provided", Handler: file, Dir: folder}, true
		}
	}
	return lambda.Process{}, false
}

// handlerIn is the function of the first file that is there.
func handlerIn(dir, name string, files []string) (lambda.Process, bool) {
	for _, file := range files {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		p := lambda.Process{Name: name, Dir: dir}
		extension := filepath.Ext(file)
		module := strings.TrimSuffix(file, extension)
		switch {
		case extension == ".py":
			p.Runtime, p.Handler = "python", module+"."+handlerOf(filepath.Join(dir, file))
		case slices.Contains(nodeEndings, extension):
			p.Runtime, p.Handler = "nodejs", module+".handler"
		case info.Mode()&0o111 != 0:
			p.Runtime, p.Handler = "provided", file
		default:
			continue
		}
		return p, true
	}
	return lambda.Process{}, false
}

var (
	aHandler      = regexp.MustCompile(`(?m)^\s*(async\s+)?def\s+handler\b|^handler\s*=|^\s*(from|import)\b.*\bhandler\b`)
	lambdaHandler = regexp.MustCompile(`\blambda_handler\b`)
)

// handlerOf is the name of a Python module's handler: handler, or else
// lambda_handler, as Lambda's console and SAM name it.
func handlerOf(path string) string {
	text, err := os.ReadFile(path)
	if err == nil && !aHandler.Match(text) && lambdaHandler.Match(text) {
		return "lambda_handler"
	}
	return "handler"
}

// find returns a function that was put into the folder after the start.
func (f *found) find(name string) (steppe.Function, bool) {
	p, ok := findFunction(f.dir, name)
	return steppe.Function{Process: p}, ok
}

// tell says which functions there are, and where they were looked for.
func (f *found) tell(log *slog.Logger) {
	names := make([]string, 0, len(f.functions))
	for i := range f.functions {
		if !f.functions[i].Removed {
			names = append(names, f.functions[i].Name)
		}
	}
	for _, passed := range f.passed {
		log.Warn("passed over: " + passed)
	}
	folder, err := filepath.Abs(filepath.Join(f.dir, functionsFolder))
	if err != nil {
		folder = filepath.Join(f.dir, functionsFolder)
	}
	file := f.file
	if file == "" {
		file = "none"
	}
	attributes := []any{slog.String("folder", folder), slog.String("file", file)}
	switch n := len(names); n {
	case 0:
		log.Warn("no functions found", attributes...)
	case 1:
		log.Info("1 function: "+names[0], attributes...)
	default:
		log.Info(fmt.Sprintf("%d functions: %s", n, strings.Join(names, ", ")), attributes...)
	}
}

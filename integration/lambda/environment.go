package lambda

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// memorySize is what functions are told to have, in MB: Lambda's default. Nothing
// holds them to it.
const memorySize = "128"

// environment is all that a worker sees of the world by its environment: the
// variables that Lambda's runtimes have, those that are passed on by name, and
// the function's own.
func (f *processes) environment(w *worker) []string {
	env := map[string]string{
		"AWS_DEFAULT_REGION":              f.Region,
		"AWS_EXECUTION_ENV":               "AWS_Lambda_" + f.Runtime,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memorySize,
		"AWS_LAMBDA_FUNCTION_NAME":        f.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + f.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME":      "local",
		"AWS_REGION":                      f.Region,
		"HOME":                            w.dir,
		"LANG":                            "en_US.UTF-8",
		"PATH":                            os.Getenv("PATH"), // where interpreters are
		"PYTHONDONTWRITEBYTECODE":         "1",               // Lambda's task root cannot be written to
		"TMPDIR":                          w.dir,
		"TZ":                              ":UTC",
	}
	if f.EndpointURL != "" {
		env["AWS_ENDPOINT_URL_SFN"] = f.EndpointURL
	}
	if f.AccessKeyID != "" && f.ownCredentials() {
		env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = f.AccessKeyID, f.SecretAccessKey
	}
	for _, name := range f.PassEnv {
		if text, ok := os.LookupEnv(name); ok {
			env[name] = text
		}
	}
	maps.Copy(env, f.Env)
	env["AWS_LAMBDA_RUNTIME_API"] = w.api.address()
	env["LAMBDA_TASK_ROOT"], env["LAMBDA_RUNTIME_DIR"] = f.Dir, f.files.path
	env["_HANDLER"] = f.Handler
	env[markVariable] = f.files.mark + "." + w.mark
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// ownCredentials reports whether nobody gives the function others.
func (p *Process) ownCredentials() bool {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"} {
		if _, given := p.Env[name]; given || slices.Contains(p.PassEnv, name) {
			return false
		}
	}
	return true
}

// reserved are the variables that only a worker's start can know.
var reserved = []string{"AWS_LAMBDA_RUNTIME_API", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT", "_HANDLER", markVariable}

// checkEnv holds the names of a function's variables against what they may be.
func (p *Process) checkEnv() error {
	names := slices.Sorted(maps.Keys(p.Env))
	for _, name := range slices.Concat(names, p.PassEnv) {
		switch {
		case name == "" || !isWord(name, "_") || isDigit(name[0]):
			return fmt.Errorf("lambda: function %s: %q is no name of an environment variable: it has letters, digits and underscores", p.Name, name)
		case slices.Contains(reserved, name):
			return fmt.Errorf("lambda: function %s: the environment variable %s is a reserved key that is not supported for modification", p.Name, name)
		}
	}
	for _, name := range names {
		if strings.ContainsRune(p.Env[name], 0) {
			return fmt.Errorf("lambda: function %s: the environment variable %s holds a NUL character", p.Name, name)
		}
		if slices.Contains(p.PassEnv, name) {
			return fmt.Errorf("lambda: function %s: the environment variable %s is both given and passed on", p.Name, name)
		}
	}
	return nil
}

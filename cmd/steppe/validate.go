package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/integration/awssdk"
)

type validateCommand struct {
	Files    []string `arg:"" name:"file" help:"Definitions, JSON or YAML."`
	Express  bool     `help:"Check what Express state machines must not have, too."`
	Warnings bool     `help:"Show warnings too." default:"true" negatable:""`
	JSON     bool     `help:"Write one JSON object for each diagnostic." name:"json"`
}

// told is a diagnostic for machines.
type told struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Location string `json:"location,omitempty"`
}

// Run checks the files. The exit status is 1 when one has an error.
func (c *validateCommand) Run(con *console) error {
	failed := false
	for _, path := range c.Files {
		file, err := findDefinition(path)
		if err != nil {
			return err
		}
		d, err := loadDefinition(file)
		if err != nil {
			return err
		}
		report := asl.Validate(d.json, asl.ValidateOptions{Express: c.Express, Warnings: c.Warnings, MaxResults: 1000, Recognized: awssdk.Recognizer()})
		failed = failed || report.Failed
		for _, diagnostic := range report.Diagnostics {
			c.show(con, d, diagnostic)
		}
		if !report.Failed && !c.JSON {
			fmt.Fprintf(con.out, "%s: valid\n", file)
		}
	}
	if failed {
		return exitCode(1)
	}
	return nil
}

func (c *validateCommand) show(con *console, d *definition, diagnostic asl.Diagnostic) {
	at := d.locate(diagnostic)
	if c.JSON {
		line, _ := json.Marshal(told{ // plain strings and numbers
			d.file, at.Line, at.Column, string(diagnostic.Severity), string(diagnostic.Code), diagnostic.Message, diagnostic.Location,
		})
		fmt.Fprintln(con.out, string(line))
		return
	}
	message, _, _ := strings.Cut(diagnostic.Message, "\n at ")
	fmt.Fprintf(con.out, "%s:%d:%d: %s: %s [%s]\n", d.file, at.Line, at.Column, strings.ToLower(string(diagnostic.Severity)), message, diagnostic.Code)
	if line := d.line(at.Line); line != "" {
		lead := []rune(line)[:min(at.Column-1, len([]rune(line)))]
		for i, c := range lead {
			if c != '\t' {
				lead[i] = ' '
			}
		}
		fmt.Fprintf(con.out, "    %s\n    %s^\n", line, string(lead))
	}
}

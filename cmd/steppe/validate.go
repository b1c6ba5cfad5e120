package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/asl"
)

type validateCommand struct {
	Files    []string `arg:"" name:"file" help:"Definitions, JSON or YAML."`
	Express  bool     `help:"Check what Express state machines must not have, too."`
	Warnings bool     `help:"Show warnings too." default:"true" negatable:""`
	substitutionFlags
	Print bool `help:"Write the definitions as JSON, with their substitutions, for a server, which makes none; nothing is checked."`
	JSON  bool `help:"Write one JSON object for each diagnostic." name:"json"`
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
	Help     string `json:"help,omitempty"`
}

// Run checks the files. The exit status is 1 when one has an error.
func (c *validateCommand) Run(con *console) error {
	failed := false
	for _, path := range c.Files {
		d, err := openDefinition(path, "", &c.substitutionFlags, nil)
		if err != nil {
			fmt.Fprintln(con.err, "steppe:", err)
			failed = true
			continue // with the others
		}
		if c.Print {
			fmt.Fprintln(con.out, string(bytes.TrimSpace(d.json)))
			continue
		}
		report := d.validate(asl.ValidateOptions{Express: c.Express, Warnings: c.Warnings, Lint: true, MaxResults: 1000, Offer: steppe.OfferOf(steppe.Config{})})
		failed = failed || report.Failed
		for _, diagnostic := range report.Diagnostics {
			c.show(con, d, diagnostic)
		}
		if !report.Failed && !c.JSON {
			fmt.Fprintf(con.out, "%s: valid\n", d.file)
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
			d.file, at.Line, at.Column, string(diagnostic.Severity), string(diagnostic.Code), diagnostic.Message, diagnostic.Location, d.help(diagnostic),
		})
		fmt.Fprintln(con.out, string(line))
		return
	}
	message, _, _ := strings.Cut(diagnostic.Message, "\n at ")
	fmt.Fprintf(con.out, "%s:%d:%d: %s: %s [%s]\n", d.file, at.Line, at.Column, strings.ToLower(string(diagnostic.Severity)), message, diagnostic.Code)
	if line, column := around([]rune(d.line(at.Line)), at.Column-1); len(line) > 0 {
		lead := slices.Clone(line[:min(column, len(line))])
		for i, c := range lead {
			if c != '\t' {
				lead[i] = ' '
			}
		}
		fmt.Fprintf(con.out, "    %s\n    %s^\n", string(line), string(lead))
	}
	if help := d.help(diagnostic); help != "" {
		fmt.Fprintf(con.out, "    help: %s\n", help)
	}
}

// warnDoubled reports names that stand in an object more than once, before a
// definition runs in which only one of each is taken.
func (d *definition) warnDoubled(con *console) {
	for _, diagnostic := range d.validate(asl.ValidateOptions{Warnings: true, Lint: true, MaxResults: 1000}).Diagnostics {
		if diagnostic.Code == asl.DuplicateMember {
			new(validateCommand).show(&console{out: con.err, err: con.err}, d, diagnostic)
		}
	}
}

// help is what is to be done about a diagnostic, "" when nobody knows.
func (d *definition) help(diagnostic asl.Diagnostic) string {
	if names := d.filled.unsubstituted(); diagnostic.Help == "" && diagnostic.Code == asl.InvalidJSONDescription && len(names) > 0 {
		return "say what ${NAME} stands for: --substitutions " + names[0] + "=…"
	}
	return diagnostic.Help
}

// shownColumns is how much of a line is shown: those of minified definitions are
// long.
const shownColumns = 100

// around is the part of a line that is shown for a column of it, counted from 0,
// and the column in that part.
func around(line []rune, column int) ([]rune, int) {
	if len(line) <= shownColumns {
		return line, column
	}
	from := max(0, min(column-shownColumns/2, len(line)-shownColumns))
	part := slices.Clone(line[from : from+shownColumns])
	if from > 0 {
		part[0] = '…'
	}
	if from+shownColumns < len(line) {
		part[shownColumns-1] = '…'
	}
	return part, column - from
}

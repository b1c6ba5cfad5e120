package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/transfer"
	"github.com/steppehq/steppe/value"
)

// recordingFlags are those of the import of an execution that AWS ran.
type recordingFlags struct {
	AWSHistory   string `help:"What 'aws stepfunctions get-execution-history' printed of an execution that has ended; - for standard input." name:"aws-history" placeholder:"FILE"`
	ExecutionARN string `help:"ARN of that execution." name:"execution-arn" placeholder:"ARN"`
	Describe     string `help:"What 'aws stepfunctions describe-execution' printed of it, instead of its ARN." placeholder:"FILE" type:"existingfile"`
	Definition   string `help:"Definition that it ran by, or what 'describe-state-machine-for-execution' printed; by default what its state machine has in the data directory." placeholder:"FILE" type:"existingfile"`
	Keep         string `help:"How long to keep it, from now on." default:"90d" placeholder:"TIME"`
}

// recording reads the files.
func (f *recordingFlags) recording() (*transfer.Recording, error) {
	if (f.ExecutionARN == "") == (f.Describe == "") {
		return nil, errors.New("tell whose history it is: give either --execution-arn or --describe")
	}
	var (
		answer, description []byte
		err                 error
	)
	if f.AWSHistory == "-" {
		answer, err = io.ReadAll(os.Stdin)
	} else {
		answer, err = os.ReadFile(f.AWSHistory)
	}
	if err == nil && f.Describe != "" {
		description, err = os.ReadFile(f.Describe)
	}
	if err != nil {
		return nil, err
	}
	rec, err := transfer.ReadRecording(answer, description)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.AWSHistory, err)
	}
	if f.ExecutionARN != "" {
		rec.ARN = f.ExecutionARN
	}
	if rec.Keep, err = engine.ParseDays(f.Keep); err != nil || rec.Keep <= 0 {
		return nil, fmt.Errorf("--keep %s: it is given as in 36h, 90d", f.Keep)
	}
	if f.Definition != "" {
		rec.Definition, err = definitionText(f.Definition)
	}
	return rec, err
}

// definitionText reads a definition: its own file, or what the AWS CLI prints of
// a state machine, which has it as text.
func definitionText(file string) (string, error) {
	d, err := loadDefinition(file, nil)
	if err != nil {
		return "", err
	}
	if v, err := value.Decode(d.json); err == nil && v.Get("definition").Kind() == value.String {
		return v.Get("definition").Str(), nil
	}
	return string(d.json), nil
}

// importRecording imports an execution that AWS ran.
func (c *importCommand) importRecording(ctx context.Context, con *console) error {
	rec, err := c.recording()
	if err != nil {
		return err
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // each commit was durable
	n, err := transfer.ImportRecording(ctx, s, rec, c.options(c.DryRun))
	if err != nil {
		return fmt.Errorf("%s: %w", c.AWSHistory, err)
	}
	return c.report(con, n)
}

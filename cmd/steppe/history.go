package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/value"
)

type historyCommand struct {
	ARN string `arg:"" name:"arn" help:"ARN of the execution."`
	serverFlags
	JSON bool `help:"Write the events as the API has them, one a line." name:"json"`
}

// Run shows the history.
func (c *historyCommand) Run(con *console) error {
	tree := newTree(con)
	request := map[string]any{"executionArn": c.ARN, "maxResults": 1000}
	for {
		var page struct {
			Events    []json.RawMessage `json:"events"`
			NextToken string            `json:"nextToken"`
		}
		if err := c.client(c.ARN).call("GetExecutionHistory", request, &page); err != nil {
			return err
		}
		for _, raw := range page.Events {
			if c.JSON {
				fmt.Fprintln(con.out, string(raw))
				continue
			}
			ev, err := readEvent(raw)
			if err != nil {
				return err
			}
			tree.show(ev)
		}
		if page.NextToken == "" {
			return nil
		}
		request["nextToken"] = page.NextToken
	}
}

// readEvent reads what the tree shows of an event in the API's form.
func readEvent(raw []byte) (*history.Event, error) {
	v, err := value.Decode(raw)
	if err != nil {
		return nil, err
	}
	ev := &history.Event{}
	ev.ID, _ = v.Get("id").Int64()
	ev.Previous, _ = v.Get("previousEventId").Int64()
	ev.Millis = int64(v.Get("timestamp").Float64()*1000 + 0.5)
	for _, t := range history.Types() {
		if t.String() == v.Get("type").Str() {
			ev.Type = t
		}
	}
	for i, name := range v.Names() {
		if strings.HasSuffix(name, "EventDetails") {
			readDetails(ev, v.At(i))
		}
	}
	return ev, nil
}

func readDetails(ev *history.Event, d value.Value) {
	ev.Name = d.Get("name").Str()
	ev.Resource, ev.ResourceType = d.Get("resource").Str(), d.Get("resourceType").Str()
	ev.Index, _ = d.Get("index").Int64()
	for member, to := range map[string]**value.Doc{"input": &ev.Input, "parameters": &ev.Input, "output": &ev.Output} {
		if text := d.Get(member); text.Kind() == value.String {
			*to = value.DocOf(text)
			if doc, err := value.ParseDoc([]byte(text.Str())); err == nil {
				*to = doc
			}
		}
	}
	for member, to := range map[string]**string{"error": &ev.Failure.Error, "cause": &ev.Failure.Cause} {
		if text := d.Get(member); text.Kind() == value.String {
			*to = new(text.Str())
		}
	}
}

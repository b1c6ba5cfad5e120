// Package bench measures a whole server: workloads that users know, over HTTP
// and through the library, with the data on disk and fsynced, beside what the
// same disk can do at most.
//
// Stability: internal to the command steppe.
package bench

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/steppehq/steppe/catalogue"
)

// Workload is a kind of executions.
type Workload struct {
	Name, Help string
	Kind       catalogue.MachineType
	Definition string
	Input      string
	// Numbered reports that the input of each execution has its number before all
	// other fields.
	Numbered bool
	// Transitions is how many states one execution enters.
	Transitions int
	// Waits reports that an execution has not ended when its start is answered.
	Waits bool
	// MaxClients bounds the clients that make sense, 0: none.
	MaxClients int
}

// executions counts those whose input is numbered.
var executions atomic.Int64

// input is that of the next execution.
func (w *Workload) input() string {
	if !w.Numbered {
		return w.Input
	}
	return string(numbered) + strconv.FormatInt(executions.Add(1), 10) + "," + strings.TrimPrefix(w.Input, "{")
}

// FunctionName is the Lambda function of the workloads: it answers with its
// input, in the process of the server.
const FunctionName = "bench"

const fiveStates = `{"StartAt":"A","States":{
  "A":{"Type":"Pass","Next":"B"},
  "B":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericGreaterThan":5,"Next":"C"}],"Default":"D"},
  "C":{"Type":"Pass","Result":{"big":true},"ResultPath":"$.c","Next":"D"},
  "D":{"Type":"Pass","Parameters":{"n.$":"$.n","text":"done"},"Next":"E"},
  "E":{"Type":"Succeed"}}}`

const order = `{"n":7,"text":"some payload of an order"}`

// Workloads are all of them but the sleepers.
func Workloads() []Workload {
	return []Workload{
		{Name: "W1", Help: "Standard, 5 states", Kind: catalogue.Standard, Definition: fiveStates, Input: order, Transitions: 5},
		{Name: "W2", Help: "Standard, 5 states, each a task", Kind: catalogue.Standard, Definition: fiveTasks(), Input: order, Numbered: true, Transitions: tasks, Waits: true},
		{Name: "W3", Help: "Standard, a Map over 10,000 items", Kind: catalogue.Standard, Definition: mapOfPass, Input: numbers(10_000), Transitions: 10_001, Waits: true, MaxClients: 2},
		{Name: "W4", Help: "Express, synchronous, 5 states", Kind: catalogue.Express, Definition: fiveStates, Input: order, Transitions: 5},
		{Name: "W6", Help: "Standard, 5 states, payloads of 200 KB", Kind: catalogue.Standard, Definition: fivePasses, Input: large(200_000), Transitions: 5, MaxClients: 64},
	}
}

// Sleepers is the workload whose executions wait: W5.
const Sleepers = "W5"

// tasks is how many an execution of W2 has.
const tasks = 5

func fiveTasks() string {
	var b strings.Builder
	b.WriteString(`{"StartAt":"T1","States":{`)
	for i := 1; i <= tasks; i++ {
		next := `"End":true`
		if i < tasks {
			next = `"Next":"T` + strconv.Itoa(i+1) + `"},`
		}
		b.WriteString(`"T` + strconv.Itoa(i) + `":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:` + FunctionName + `",` + next)
	}
	return b.String() + "}}}"
}

const mapOfPass = `{"StartAt":"M","States":{"M":{"Type":"Map","MaxConcurrency":40,"ItemProcessor":{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}},"ResultPath":null,"Next":"E"},"E":{"Type":"Succeed"}}}`

const fivePasses = `{"StartAt":"A","States":{
  "A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Parameters":{"n":1,"text.$":"$.text"},"Next":"C"},
  "C":{"Type":"Pass","Next":"D"},"D":{"Type":"Pass","Next":"E"},"E":{"Type":"Succeed"}}}`

func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(i))
	}
	return "[" + b.String() + "]"
}

// large is an input of about n bytes, of words as texts have them.
func large(n int) string {
	words := strings.Fields("order item price delivered to the customer before noon unless it is raining in the city of")
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(words[(i*7+i/13)%len(words)])
		b.WriteString(strconv.Itoa(i % 97))
		b.WriteByte(' ')
	}
	text, _ := json.Marshal(map[string]string{"text": b.String()}) // one string
	return string(text)
}

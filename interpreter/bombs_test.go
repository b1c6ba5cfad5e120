package interpreter_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/value"
)

// The errors in which bombs end.
const (
	dataLimit = "States.DataLimitExceeded"
	atRuntime = "States.Runtime"
	inQuery   = "States.QueryEvaluationError"
)

// bomb is a definition that would take all memory, or for ever, if it were let.
type bomb struct {
	name string
	// pass is the fields of a Pass state, made of parts that are repeated; states
	// are whole states instead, A first.
	pass, states string
	// jsonata is an expression for Output instead.
	jsonata string
	input   string
	// err is the error that it ends in, "" where it succeeds within the limits.
	err string
	// cause is a part of the cause.
	cause string
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }

// fields is n members of an object, with a number for %d.
func fields(n int, format string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func largeText(n int) string { return `{"a":"` + repeat("x", n) + `"}` }

// items is an object with an array l of n objects.
func items(n int) string { return `{"l":[` + fields(n, `{"a":%d}`) + `]}` }

const (
	timedOut = "Expression evaluation timeout"
	tooMuch  = "Expression evaluation memory limit exceeded"
)

// bombs: those that were tried on a running server first, then their siblings.
func bombs() []bomb {
	double := func(n int) string {
		return fmt.Sprintf(`{%% ($f := function($a,$n){$n=0?$a:$f([[$a],[$a]],$n-1)}; $f($states.input,%d)) %%}`, n)
	}
	return []bomb{
		{name: "Format of one text", pass: `"Parameters":{"x.$":"States.Format('` + repeat("{}", 20000) + `'` + repeat(",$.a", 20000) + `)"}`, input: largeText(244_000), err: dataLimit},
		{name: "Array of one text", pass: `"Parameters":{"x.$":"States.Array($.a` + repeat(",$.a", 20000) + `)"}`, input: largeText(244_000), err: dataLimit},
		{name: "Parameters of one text", pass: `"Parameters":{` + fields(20000, `"x%d.$":"$.a"`) + `}`, input: largeText(244_000), err: dataLimit},
		{name: "StringToJson of one text", pass: `"Parameters":{` + fields(1000, `"x%d.$":"States.StringToJson($.a)"`) + `}`, input: `{"a":"[` + repeat("1,", 80_000) + `1]"}`, err: dataLimit},
		{name: "filters", pass: `"Parameters":{` + fields(24000, `"x%d.$":"$.l[?(@.a==-1)]"`) + `}`, input: items(15_000), err: atRuntime, cause: "takes too long"},
		{name: "nested JsonToString", pass: `"Parameters":{"x.$":"` + repeat("States.JsonToString(", 9) + "$" + repeat(")", 9) + `"}`, input: largeText(100)[:5] + `"` + repeat(`\"`, 60_000) + `"}`, err: dataLimit},
		{name: "scans in scans", pass: `"Parameters":{"x.$":"$..*..*..*..*..*..*"}`, input: repeat(`{"a":`, 200) + "1" + repeat("}", 200), err: dataLimit},
		{name: "JsonMerge", pass: `"Parameters":{` + fields(300, `"x%d.$":"States.JsonMerge($,$,false)"`) + `}`, input: `{` + fields(15_000, `"k%d":1`) + `}`, err: dataLimit},
		{name: "a regular expression for hours", jsonata: "($p:=$pad('a',200000,'a'); $count([1..100000].$match($p,/((a{0,30}){0,30}b)/)))", err: inQuery, cause: timedOut},
		{name: "contains for hours", jsonata: "$count([1..3000].$contains($states.input.a, /x+b/))", input: largeText(250_000), err: inQuery, cause: timedOut},
		{name: "split of everything", jsonata: "$count($split($pad('a',5000000,'a'),''))", err: inQuery, cause: tooMuch},
		{name: "descendants of descendants", jsonata: "$count($states.input.**.**.**.**.**)", input: repeat(`{"a":`, 90) + "1" + repeat("}", 90), err: inQuery},
		{name: "an assignment that is too large", states: `"A":{"Type":"Pass","QueryLanguage":"JSONata","Assign":{` + fields(35, `"v%d":"{%% $pad('x',250000,'x') %%}"`) + `},"Next":"A2"},"A2":{"Type":"Choice","QueryLanguage":"JSONata","Choices":[{"Condition":"{% true %}","Next":"A"}],"Default":"End"},"End":{"Type":"Succeed"}`, err: inQuery, cause: tooMuch},

		{name: "Format of a shared tree", jsonata: double(60), input: largeText(10), err: inQuery},
		{name: "ArrayContains", pass: `"Parameters":{` + fields(3000, `"x%d.$":"States.ArrayContains($.l,-1)"`) + `}`, input: items(15_000), err: atRuntime},
		{name: "ArrayUnique", pass: `"Parameters":{` + fields(3000, `"x%d.$":"States.ArrayUnique($.l)"`) + `}`, input: items(15_000), err: dataLimit},
		{name: "ArrayPartition", pass: `"Parameters":{` + fields(3000, `"x%d.$":"States.ArrayPartition($.l,1)"`) + `}`, input: items(15_000), err: dataLimit},
		{name: "StringSplit", pass: `"Parameters":{` + fields(3000, `"x%d.$":"States.StringSplit($.a,',')"`) + `}`, input: `{"a":"` + repeat("a,", 120_000) + `"}`, err: dataLimit},
		{name: "StringSplit by everything", pass: `"Parameters":{` + fields(3000, `"x%d.$":"States.StringSplit($.a,$.b)"`) + `}`, input: `{"a":"` + repeat("é", 60_000) + `","b":"` + repeat("ü", 60_000) + `"}`, err: dataLimit},
		{name: "ArrayRange", pass: `"Parameters":{` + fields(20000, `"x%d.$":"States.ArrayRange(1,1000,1)"`) + `}`, err: dataLimit},
		{name: "Base64Encode", pass: `"Parameters":{` + fields(20000, `"x%d.$":"States.Base64Encode($.a)"`) + `}`, input: largeText(9_000), err: dataLimit},
		{name: "Hash", pass: `"Parameters":{` + fields(20000, `"x%d.$":"States.Hash($,'SHA-512')"`) + `}`, input: largeText(9_000), err: atRuntime},
		{name: "wildcards", pass: `"Parameters":{` + fields(1000, `"x%d.$":"$.l[*].a"`) + `}`, input: items(15_000), err: dataLimit},
		{name: "a wildcard times a wildcard", pass: `"InputPath":"$.l[*]..a"`, input: `{"l":[` + repeat(`{"a":[{"a":1}]},`, 15_000) + `1]}`},
		{name: "unions", pass: `"Parameters":{` + fields(20000, `"x%d.$":"$.l[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19]"`) + `}`, input: items(30), err: dataLimit},
		{name: "filters by a pattern", pass: `"Parameters":{` + fields(100, `"x%d.$":"$.l[?(@.a=~/(x+x+)+y/)]"`) + `}`, input: `{"l":[{"a":"` + repeat("x", 240_000) + `"}]}`, err: atRuntime},
		{name: "filters by a number with many digits", pass: `"Parameters":{` + fields(2000, `"x%d.$":"$.l[?(@.a==$.n)]"`) + `}`, input: `{"n":` + repeat("9", 100_000) + `,"l":[` + repeat(`{"a":1e3},`, 10_000) + `1]}`, err: atRuntime},
		{name: "ResultPath in a large object", states: `"A":{"Type":"Pass","ResultPath":"$` + repeat(".k", 900) + `","End":true}`, input: `{` + fields(15_000, `"a%d":1`) + `}`, err: dataLimit},
		{name: "StringMatches", states: `"A":{"Type":"Choice","Choices":[{"Or":[` + fields(2000, `{"Variable":"$.a","StringMatches":"*xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxy%d"}`) + `],"Next":"E"}],"Default":"E"},"E":{"Type":"Succeed"}`, input: largeText(240_000), err: atRuntime},
		{name: "rules by the thousand", states: `"A":{"Type":"Choice","Choices":[{"Or":[` + fields(10000, `{"Variable":"$.a","StringEquals":"x%d"}`) + `],"Next":"E"}]},"E":{"Type":"Succeed"}`, input: `{"a":"` + repeat("é", 100_000) + `"}`, err: atRuntime},
		{name: "rules on filters", states: `"A":{"Type":"Choice","Choices":[{"And":[` + fields(10000, `{"Variable":"$.l[?(@.a==-%d)]","IsPresent":true}`) + `],"Next":"E"}]},"E":{"Type":"Succeed"}`, input: items(15_000), err: atRuntime},
		{name: "timestamps that are long", states: `"A":{"Type":"Choice","Choices":[{"Or":[` + fields(5000, `{"Variable":"$.a%d","IsTimestamp":true}`) + `],"Next":"E"}],"Default":"E"},"E":{"Type":"Succeed"}`, input: `{` + fields(5000, `"a%d":"2020-01-01T00:00:0"`) + `}`},
		{name: "ItemSelector", states: `"A":{"Type":"Map","ItemSelector":{` + fields(2000, `"x%d.$":"$.a"`) + `},"ItemsPath":"$.l","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}},"End":true}`, input: `{"l":[1,2,3],"a":"` + repeat("x", 240_000) + `"}`, err: dataLimit},
		{name: "items of a Map", states: `"A":{"Type":"Map","QueryLanguage":"JSONata","Items":"{% ($f := function($a,$n){$n=0?$a:$f([$a,$a],$n-1)}; $f([$states.input],12)) %}","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}},"End":true}`, input: largeText(200_000), err: dataLimit},
		{name: "outputs of a Map", states: `"A":{"Type":"Map","QueryLanguage":"JSONata","Items":"{% [1..1000] %}","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","QueryLanguage":"JSONata","Output":"{% $pad('x',250000,'x') %}","End":true}}},"End":true}`, err: dataLimit},
		{name: "outputs of a Parallel", states: `"A":{"Type":"Parallel","Branches":[` + fields(50, `{"StartAt":"B%[1]d","States":{"B%[1]d":{"Type":"Pass","End":true}}}`) + `],"End":true}`, input: largeText(250_000), err: dataLimit},
		{name: "a Catcher whose output is too large", states: `"A":{"Type":"Parallel","Branches":[{"StartAt":"B","States":{"B":{"Type":"Fail","Error":"E"}}}],"Catch":[{"ErrorEquals":["States.ALL"],"ResultPath":"$.b","Next":"C"}],"Next":"C"},"C":{"Type":"Succeed"}`, input: largeText(262_144 - 10), err: dataLimit},
		{name: "variables of all branches", states: `"A":{"Type":"Map","QueryLanguage":"JSONata","Items":"{% [1..60] %}","MaxConcurrency":40,"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","QueryLanguage":"JSONata","Assign":{"v":"{% $pad('x',260000,'x') %}"},"Next":"B2"},"B2":{"Type":"Pass","QueryLanguage":"JSONata","Assign":{"w":"{% $pad('x',260000,'x') %}"},"Next":"C"},"C":{"Type":"Wait","Seconds":1,"End":true}}},"End":true}`, err: dataLimit, cause: "variables"},
		{name: "a cause of a quarter of a megabyte", states: `"A":{"Type":"Pass","InputPath":"$.l[?(@.a=='` + repeat("y", 60_000) + `')].b.c","Parameters":{"x.$":"$.z"},"End":true}`, input: largeText(250_000), err: atRuntime},

		{name: "replace by long texts", jsonata: "$length($replace($pad('a',5000000,'a'),'a',$pad('b',1000000,'b')))", err: inQuery, cause: tooMuch},
		{name: "replace with the match many times", jsonata: "$length($replace($pad('a',1000000,'a'),/a+/,$pad('$0',1000000,'$0')))", err: inQuery, cause: tooMuch},
		{name: "replace that looks ahead", jsonata: "$length($replace($pad('a',200000,'a'),/a*b|a/,'x'))", err: inQuery, cause: timedOut},
		{name: "match of everything", jsonata: "$count($match($pad('a',1000000,'a'),/a/))", err: inQuery, cause: tooMuch},
		{name: "string of a shared tree", jsonata: "($f := function($a,$n){$n=0?$a:$f([[$a],[$a]],$n-1)}; $length($string($f(1,60))))", err: inQuery},
		{name: "comparison of shared trees", jsonata: "($f := function($a,$n){$n=0?$a:$f([[$a],[$a]],$n-1)}; $f(1,60) = $f(1,60))", err: inQuery, cause: timedOut},
		{name: "distinct of shared trees", jsonata: "($f := function($a,$n){$n=0?$a:$f([[$a],[$a]],$n-1)}; $distinct([$f(1,60),1]))", err: inQuery},
		{name: "truth of a shared tree", jsonata: "($f := function($a,$n){$n=0?$a:$f([[$a],[$a]],$n-1)}; $f(0,60) ? 1 : 2)", err: inQuery, cause: timedOut},
		{name: "wildcard of a shared tree", jsonata: "($f := function($a,$n){$n=0?$a:$f([[$a],[$a]],$n-1)}; $count($f(1,60).*))", err: inQuery},
		{name: "names in a shared tree", jsonata: "($f := function($a,$n){$n=0?$a:$f([[$a],[$a]],$n-1)}; $count($lookup($f({'a':1},60),'a')))", err: inQuery},
		{name: "a function in a shared tree", jsonata: "($f := function($a,$n){$n=0?$a:$f([[$a],[$a]],$n-1)}; $f([1,$f],60))", err: inQuery},
		{name: "transform of a shared tree", jsonata: "($f := function($a,$n){$n=0?$a:$f([[$a],[$a]],$n-1)}; $f({'a':1},60)[0] ~> |**|{'b':1}|)", err: inQuery},
		{name: "keys of a shared tree", jsonata: "($f := function($a,$n){$n=0?$a:$f([[$a],[$a]],$n-1)}; $keys($f({'a':1},60)))", err: inQuery},
		{name: "spread of a shared tree", jsonata: "($f := function($a,$n){$n=0?$a:$f([[$a],[$a]],$n-1)}; $spread($f({'a':1},60)))", err: inQuery},
		{name: "numbers of a shared tree", jsonata: "($f := function($a,$n){$n=0?$a:$f([[$a],[$a]],$n-1)}; $f(1.0,60))", err: inQuery},
		{name: "zip", jsonata: "($a:=[1..800000]; $zip($a,$a,$a,$a,$a,$a,$a,$a))", err: inQuery, cause: tooMuch},
		{name: "joins", jsonata: "($a := {'b': [1..10000]}; $a.b@$x.$a.b@$y.$a.b[$ = $x + $y])", err: inQuery},
		{name: "cross product", jsonata: "($a := [1..10000]; $a.($x := $; $a.($x * $)))", err: inQuery},
		{name: "sort by chance", jsonata: "$sort([1..300000], function($a, $b){$random() > 0.5})", err: inQuery},
		{name: "sort of long texts", jsonata: "($p:=$pad('a',200000,'a'); $sort([1..2000].($p & $string($ % 7))))", err: inQuery},
		{name: "order of long texts", jsonata: "($p:=$pad('a',200000,'a'); $count(([1..5000].{'a':$p,'b':$})^(a,b)))", err: inQuery, cause: timedOut},
		{name: "grouping", jsonata: "[1..200000]{$string($): $pad('x', 1000)}", err: inQuery},
		{name: "parse of one text", jsonata: "($t:=$pad('[1',120000,',1') & ']'; $sum([1..1000].$count($parse($t))))", err: inQuery},
		{name: "hash", jsonata: "[1..100000].$hash($states.input.a,'SHA-512')", input: largeText(250_000), err: inQuery},
		{name: "a picture of a number", jsonata: "$formatNumber(1,$pad('0,',200000,'0,'))", err: inQuery},
		{name: "a long zero", jsonata: "$length($formatNumber(1,$pad('1',100000,'1'),{'zero-digit':$pad('1',1000000,'1')}))", err: inQuery},
		{name: "a long separator", jsonata: "$length($formatNumber(1,$pad('0',50000,'0') & $pad('x',50000,'x') & '0',{'grouping-separator':$pad('x',50000,'x')}))", err: inQuery},
		{name: "a picture of an integer", jsonata: "$length($formatInteger(1,$pad('0-',400000,'0-')))", err: inQuery},
		{name: "a year of many digits", jsonata: "$fromMillis(0,'[Y,1000000000-1000000000]')", err: inQuery, cause: tooMuch},
		{name: "a month of many digits", jsonata: "$fromMillis(0,'[M01,9000000000000000000]')", err: inQuery, cause: tooMuch},
		{name: "reading by a long picture", jsonata: "$toMillis($pad('1',200000,'1'),$pad('[Y]-',200000,'[Y]-'))", err: inQuery},
		{name: "an integer of many groups", jsonata: "$parseInteger($pad('1',5000000,'1'),$pad('0-',200000,'-'))", err: inQuery},
		{name: "a signature with many ways", jsonata: "($f:=function($a)<" + repeat("x+", 30) + "s:x>{1}; $f(" + repeat("1,", 60) + "1))", err: inQuery, cause: timedOut},
		{name: "tail calls", jsonata: "($f := function($x){$f($x + 1)}; $f(1))", err: inQuery},
		{name: "merging", jsonata: "$reduce([1..5000], function($a,$i){$merge([$a,{$string($i):$i}])}, {})", err: inQuery},
		{name: "appending", jsonata: "$count($reduce([1..20000], function($a,$i){$append($a,$i)}, []))", err: inQuery},
		{name: "eager concatenation", jsonata: "$length($reduce([1..100000], function($a,$i){$a & 'xxxxxxxxxxxxxxxxxxxxxxx'}, ''))", err: inQuery},
		{name: "indexes", jsonata: "($a:=[1..20000]; $count($a[$a]))", err: inQuery},
		{name: "membership", jsonata: "($a:=[1..50000]; $count($a[$ in $a]))", err: inQuery, cause: timedOut},
		{name: "encoding of texts", jsonata: "$count([1..1000].$encodeUrl($states.input.a))", input: largeText(250_000), err: inQuery},
		{name: "base64", jsonata: "$count([1..1000].$base64decode($base64encode($states.input.a)))", input: largeText(250_000), err: inQuery},
		{name: "upper case", jsonata: "$count([1..100000].$uppercase($states.input.a))", input: largeText(250_000), err: inQuery},
		{name: "substrings", jsonata: "$count([1..100000].$substring($states.input.a,1,2))", input: largeText(250_000), err: inQuery},
		{name: "lengths", jsonata: "$sum([1..1000000].$length($states.input.a))", input: largeText(250_000), err: inQuery},
		{name: "an array of arrays", jsonata: "($a:=[1..800000]; [" + repeat("$a,", 500) + "$a])", err: inQuery, cause: tooMuch},
		{name: "a message of a large value", jsonata: "$number($pad('x',5000000,'x'))", err: inQuery},
	}
}

// machineOf makes a bomb's definition.
func (b *bomb) machineOf() string {
	states := b.states
	switch {
	case b.jsonata != "" && strings.HasPrefix(b.jsonata, "{%"):
		states = `"A":{"Type":"Pass","QueryLanguage":"JSONata","Output":` + value.Str(b.jsonata).String() + `,"End":true}`
	case b.jsonata != "":
		states = `"A":{"Type":"Pass","QueryLanguage":"JSONata","Output":` + value.Str("{% "+b.jsonata+" %}").String() + `,"End":true}`
	case b.pass != "":
		states = `"A":{"Type":"Pass",` + b.pass + `,"End":true}`
	}
	return `{"StartAt":"A","States":{` + states + `}}`
}

// TestBombs runs each bomb and holds against the limits what the meter counted, and
// against what it counted what was really allocated.
func TestBombs(t *testing.T) {
	limits := interpreter.AWSLimits
	limits.Work, limits.Bytes = limits.Work/4, limits.Bytes/2 // so that all of them take seconds
	for _, b := range bombs() {
		t.Run(b.name, func(t *testing.T) {
			m := machine(t, b.machineOf())
			input := b.input
			if input == "" {
				input = "{}"
			}
			doc := value.NewDoc([]byte(input))
			doc.Value()
			var work, peak, turns, events int64
			env := interpreter.Env{Limits: limits, Now: time.UnixMilli(1), Pace: func(w, held int64) error {
				work, peak = w, max(peak, held)
				return nil
			}}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			x, out := interpreter.Start(m, interpreter.Info{}, doc, env)
			counted, built := work, peak
			for events = int64(len(out.Events)); x.Status() == interpreter.Running && turns < 500; turns++ {
				work = 0
				msg := interpreter.Message{Kind: interpreter.Continue}
				if !x.Ready() {
					env.Now = env.Now.Add(time.Minute)
					msg.Kind = interpreter.Wake
				}
				out = interpreter.Step(x, msg, env)
				events += int64(len(out.Events))
				counted, built = counted+work, built+peak
			}
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			allocated := int64(after.TotalAlloc - before.TotalAlloc)
			name, cause := failureOf(x.Failure())
			t.Logf("%v, %s; counted %d units (%.0f ms), peak %d kB; allocated %d kB, %d events", took.Round(time.Millisecond), name, counted, float64(counted)/20000, peak>>10, allocated>>10, events)
			if name != b.err || !strings.Contains(cause, b.cause) {
				t.Errorf("it ends in %q: %.300s; want %q: %s", name, cause, b.err, b.cause)
			}
			if len(cause) > 32768 {
				t.Errorf("a cause of %d bytes", len(cause))
			}
			if most := limits.Bytes + int64(limits.RunAheadBytes+limits.PayloadBytes); peak > most {
				t.Errorf("%d bytes are held at once, more than %d", peak, most)
			}
			if most := limits.Work * (1 + events/2) * 11 / 10; counted > most {
				t.Errorf("%d units of work, more than %d", counted, most)
			}
			// What is not counted is what is thrown away at once: that is in the work.
			if most := 3*built + 100*counted + 8<<20; allocated > most {
				t.Errorf("%d kB were allocated, where %d kB and %d units were counted", allocated>>10, built>>10, counted)
			}
		})
	}
}

func failureOf(f history.ErrorOutput) (name, cause string) {
	if f.Error != nil {
		name = *f.Error
	}
	if f.Cause != nil {
		cause = *f.Cause
	}
	return name, cause
}

package asl

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// Limits of Distributed Maps.
const (
	maxLabel      = 40
	maxItems      = 100_000_000
	maxBatchBytes = 262_144
)

// readMap reads a Map state. What only a Distributed Map uses is checked in an inline one too.
func readMap(o *object, b Common) State {
	st := &Map{Common: b}
	o.next(&st.Common)
	o.flow(&st.Common, "InputPath", "ResultSelector", "ResultPath", "OutputPath", "Assign")
	if b.Language == query.JSONata {
		if st.Items = o.made("Items"); st.Items != nil {
			if v, _ := o.get("Items"); v.Kind() != value.Array && v.Kind() != value.Object && !query.IsExpression(v) {
				o.fail("Items", "Expected value of type [ARRAY]")
			}
		}
		st.ItemSelector = o.made("ItemSelector")
	} else {
		o.exclusive(false, "ItemSelector", "Parameters")
		if st.ItemsPath = o.pathField("ItemsPath"); st.ItemsPath != nil && !isReference(st.ItemsPath) {
			o.fail("ItemsPath", "Value is not a Reference Path")
		}
		if st.ItemSelector = o.template("ItemSelector", false); st.ItemSelector == nil {
			st.ItemSelector = o.template("Parameters", false)
		}
	}
	st.Concurrency = o.seconds("MaxConcurrency", b.Language, 0, math.MaxInt64)
	st.ToleratedCount = o.seconds("ToleratedFailureCount", b.Language, 0, math.MaxInt64)
	st.ToleratedPercentage = o.seconds("ToleratedFailurePercentage", b.Language, 0, 100)
	o.processor(st)
	st.Retry, st.Catch = o.retry(), o.catch(b.Language)
	return st
}

// isReference reports whether a path leads to one value.
func isReference(p *query.Path) bool { return p.Definite() && !p.IsCall() }

// processor reads ItemProcessor or the legacy Iterator, and what only a
// Distributed Map uses.
func (o *object) processor(st *Map) {
	o.exclusive(true, "ItemProcessor", "Iterator")
	distributed := &Distributed{
		Label: o.label(), ItemReader: o.itemReader(st.Language), ItemBatcher: o.itemBatcher(st.Language), ResultWriter: o.resultWriter(st.Language),
	}
	field := "ItemProcessor"
	if st.Legacy = o.has("Iterator"); st.Legacy {
		field = "Iterator"
		o.get("ItemProcessor")
	}
	v, ok := o.of(field, value.Object)
	if !ok {
		return
	}
	inner := o.p.object(v, o.at(field))
	comment := inner.str("Comment")
	if inner.config(distributed) {
		st.Distributed = distributed
	}
	st.Processor = o.p.states(inner)
	st.Processor.Comment = comment
	if st.Distributed != nil && st.Distributed.ExecutionType == "EXPRESS" {
		for _, d := range expressTasks(st.Processor, inner.path) {
			o.p.diagnose(d)
		}
	}
	inner.done()
}

// config reads ProcessorConfig. It reports whether the Map is a Distributed one.
// Without a Mode it is not.
func (o *object) config(d *Distributed) bool {
	v, ok := o.of("ProcessorConfig", value.Object)
	if !ok {
		return false
	}
	c := o.p.object(v, o.at("ProcessorConfig"))
	distributed := c.oneOf("Mode", "INLINE", "DISTRIBUTED") == "DISTRIBUTED"
	if distributed {
		c.require("ExecutionType")
		d.ExecutionType = c.oneOf("ExecutionType", "STANDARD", "EXPRESS")
	}
	c.done()
	return distributed
}

// label reads Label, which becomes a part of ARNs and must be unique in the machine.
func (o *object) label() string {
	v, ok := o.of("Label", value.String)
	if !ok {
		return ""
	}
	label := v.Str()
	switch fail := func(code Code, message string) { o.p.report(SeverityError, code, o.at("Label"), message) }; {
	case label == "":
		fail(InvalidLabelName, "Label name cannot be empty")
	case utf8.RuneCountInString(label) > maxLabel:
		fail(InvalidLabelName, fmt.Sprintf("Label name '%s' exceeds the %d-character limit allowed by the service", label, maxLabel))
	case strings.ContainsFunc(label, notInNames):
		fail(InvalidLabelName, "Label name '"+label+"' contains invalid characters")
	case o.p.labels[label]:
		fail(DuplicateLabelName, "Duplicate Label name: "+label)
	}
	o.p.labels[label] = true
	return label
}

// notInNames reports whether a character cannot be in names of resources.
func notInNames(r rune) bool {
	return r <= ' ' || r >= 0x7f && r <= 0x9f || r == 0xfffe || r == 0xffff || strings.ContainsRune("<>{}[]?*\"#%\\^|~`$&,;:/", r)
}

// part reads an object that only a Distributed Map uses; nil where it is not
// there.
func (o *object) part(field string) *object {
	v, ok := o.of(field, value.Object)
	if !ok {
		return nil
	}
	return o.p.object(v, o.at(field))
}

// arguments reads what the service is called with.
func (o *object) arguments(language query.Language) *query.Template {
	o.languageFields(language, []string{"Parameters"}, []string{"Arguments"})
	if language == query.JSONata {
		return o.made("Arguments")
	}
	return o.template("Parameters", true)
}

// resourceOf reads the Resource of a reader or writer.
func (o *object) resourceOf(actions ...string) string {
	arn, ok := o.of("Resource", value.String)
	if !ok {
		return ""
	}
	if r, ok := ParseResource(arn.Str()); !ok || r.Service != "s3" || !slices.Contains(actions, r.Name) {
		o.p.fail(o.path, "The field 'Resource' does not match any of the allowed values")
	}
	return arn.Str()
}

// itemReader reads ItemReader.
func (o *object) itemReader(language query.Language) *ItemReader {
	r := o.part("ItemReader")
	if r == nil {
		return nil
	}
	r.require("Resource")
	reader := &ItemReader{Resource: r.resourceOf("getObject", "listObjectsV2"), Arguments: r.arguments(language)}
	if c := r.part("ReaderConfig"); c != nil {
		c.readerConfig(reader, language)
	}
	r.done()
	return reader
}

// readerConfig reads ReaderConfig. Which fields it may have depends on InputType:
// headers are CSV's, ItemsPointer is JSON's. A field that does not go with it is
// reported as not supported, for nothing asks for it.
func (o *object) readerConfig(r *ItemReader, language query.Language) {
	r.InputType = o.oneOf("InputType", "CSV", "JSON", "JSONL", "PARQUET", "MANIFEST")
	r.Transformation = o.oneOf("Transformation", "NONE", "LOAD_AND_FLATTEN")
	r.ManifestType = o.oneOf("ManifestType", "ATHENA_DATA", "S3_INVENTORY")
	if r.Transformation == "LOAD_AND_FLATTEN" || r.InputType == "" && r.ManifestType == "" && strings.HasSuffix(r.Resource, ":getObject") {
		o.require("InputType")
	}
	if r.ManifestType == "S3_INVENTORY" && r.InputType != "" {
		o.unsupported("InputType")
	}
	csv := r.InputType == "CSV" || r.ManifestType != ""
	if csv {
		r.CSVDelimiter = o.oneOf("CSVDelimiter", "COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB")
		r.CSVHeaderLocation = o.oneOf("CSVHeaderLocation", "FIRST_ROW", "GIVEN")
		if r.InputType == "CSV" && r.ManifestType == "" && !o.has("CSVHeaderLocation") {
			o.p.fail(o.path, "The field 'CSVHeaderLocation' is required")
		}
	}
	if r.CSVHeaderLocation == "GIVEN" {
		o.require("CSVHeaders")
		o.each("CSVHeaders", func(name value.Value, at []string) {
			if name.Kind() != value.String {
				o.p.fail(at, "%s", expected(value.String))
			}
			r.CSVHeaders = append(r.CSVHeaders, name.Str())
		})
	}
	if r.InputType == "JSON" {
		r.ItemsPointer = o.text("ItemsPointer", language)
		if p := r.ItemsPointer; p != nil && p.Path == nil && p.Expr == nil && p.Literal != "" && p.Literal[0] != '/' {
			o.fail("ItemsPointer", "Value is not a valid JSON Pointer")
		}
	}
	r.MaxItems = o.seconds("MaxItems", language, 0, maxItems)
	o.done()
}

// itemBatcher reads ItemBatcher.
func (o *object) itemBatcher(language query.Language) *ItemBatcher {
	b := o.part("ItemBatcher")
	if b == nil {
		return nil
	}
	limits := []string{"MaxItemsPerBatch", "MaxItemsPerBatchPath", "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"}
	if !slices.ContainsFunc(limits, b.has) {
		b.p.fail(b.path, "This object should have at least one of the following fields: [%s]", strings.Join(limits, ", "))
	}
	batcher := &ItemBatcher{
		MaxItems: b.seconds("MaxItemsPerBatch", language, 1, maxItems),
		MaxBytes: b.seconds("MaxInputBytesPerBatch", language, 1, maxBatchBytes),
	}
	if language == query.JSONata {
		batcher.BatchInput = b.made("BatchInput")
	} else {
		batcher.BatchInput = b.template("BatchInput", true)
	}
	b.done()
	return batcher
}

// resultWriter reads ResultWriter: where to, or how, or both.
func (o *object) resultWriter(language query.Language) *ResultWriter {
	w := o.part("ResultWriter")
	if w == nil {
		return nil
	}
	if w.value.Len() == 0 {
		w.p.fail(w.path, "Value cannot be empty")
	}
	writer := &ResultWriter{Resource: w.resourceOf("putObject"), Arguments: w.arguments(language)}
	arguments := "Parameters"
	if language == query.JSONata {
		arguments = "Arguments"
	}
	switch {
	case w.has("Resource"):
		w.require(arguments)
	case w.has(arguments):
		w.require("Resource")
	}
	if c := w.part("WriterConfig"); c != nil {
		c.require("Transformation", "OutputType")
		writer.Transformation = c.oneOf("Transformation", "NONE", "COMPACT", "FLATTEN")
		writer.OutputType = c.oneOf("OutputType", "JSON", "JSONL")
		c.done()
	}
	w.done()
	return writer
}

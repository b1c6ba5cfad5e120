package interpreter

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/value"
)

// beginMap evaluates the items of a Map and what bounds its work.
func (t *Trial) beginMap(st *asl.Map) error {
	items, known, err := t.mapItems(st)
	if err != nil {
		return err
	}
	if known {
		t.items = items.Len()
		if items, err = t.selectItems(st, items); err != nil {
			return err
		}
		if err := t.batchItems(st, items); err != nil {
			return err
		}
	}
	limit, err := t.s.seconds(t.b, st.Concurrency, "MaxConcurrency")
	if err != nil {
		return err
	}
	t.seen.Set("maxConcurrency", value.Int(limit))
	return t.tolerate(st)
}

// mapItems returns the items of a Map; they are not known when an ItemReader would
// have to read them.
func (t *Trial) mapItems(st *asl.Map) (items value.Value, known bool, err error) {
	if st.Distributed != nil && st.Distributed.ItemReader != nil {
		if t.spec.ReaderData == nil {
			return items, false, nil
		}
		items, err = t.readItems(st.Distributed.ItemReader, *t.spec.ReaderData)
		return items, true, err
	}
	items, err = st.Flow.InspectItems(t.scope(), st.ItemsPath, st.Items, t.see)
	return items, true, err
}

// selectItems shows what the ItemSelector makes of the items.
func (t *Trial) selectItems(st *asl.Map, items value.Value) (value.Value, error) {
	if st.ItemSelector == nil {
		return items, nil
	}
	selected := make([]value.Value, items.Len())
	t.b.join = &join{items: items}
	for i := range selected {
		doc, err := t.s.itemInput(t.b, st, int64(i))
		if err != nil {
			return items, err
		}
		selected[i] = doc.Value()
	}
	made := value.Arr(selected...)
	t.see("afterItemSelector", made)
	return made, nil
}

// batchItems shows how the ItemBatcher divides the items. An item that is too
// large for a batch has one of its own.
func (t *Trial) batchItems(st *asl.Map, items value.Value) error {
	if st.Distributed == nil || st.Distributed.ItemBatcher == nil {
		return nil
	}
	batcher := st.Distributed.ItemBatcher
	most, err := t.s.seconds(t.b, batcher.MaxItems, "MaxItemsPerBatch")
	if err != nil {
		return err
	}
	bytes, err := t.s.seconds(t.b, batcher.MaxBytes, "MaxInputBytesPerBatch")
	if err != nil {
		return err
	}
	var common []value.Member
	if batcher.BatchInput != nil {
		input, err := batcher.BatchInput.Eval(t.scope())
		if err != nil {
			return err
		}
		common = []value.Member{{Name: "BatchInput", Value: input}}
	}
	batch := func(items []value.Value) value.Value {
		return value.Obj(append(slices.Clip(common), value.Member{Name: "Items", Value: value.Arr(items...)})...)
	}
	var batches []value.Value
	for rest := items.Items(); len(rest) > 0; {
		n := 1
		size := t.encoded(batch(rest[:1]))
		for n < len(rest) && (most == 0 || int64(n) < most) {
			size += t.encoded(rest[n]) + len(",")
			if bytes > 0 && int64(size) > bytes {
				break
			}
			n++
		}
		t.s.meter.Hold(rowBytes)
		batches = append(batches, batch(rest[:n]))
		rest = rest[n:]
	}
	t.see("afterItemBatcher", value.Arr(batches...))
	return nil
}

// What parts of items hold, in bytes of memory.
const (
	rowBytes   = 600 // an item made of a few
	fieldBytes = 110
)

// encoded is the length of a value as JSON.
func (t *Trial) encoded(v value.Value) int {
	size := 0
	text, _ := v.AppendWhile(nil, func(now int) bool {
		t.s.meter.Work(1 + int64(now-size)/16)
		t.s.meter.Hold(2 * int64(now-size))
		size = now
		return true
	})
	t.s.meter.Release(2 * int64(size))
	return len(text)
}

// tolerate evaluates how many iterations may fail.
func (t *Trial) tolerate(st *asl.Map) error {
	if st.ToleratedCount != nil {
		n, err := t.s.seconds(t.b, st.ToleratedCount, "ToleratedFailureCount")
		if err != nil {
			return err
		}
		t.tolerated, t.tolerance = true, float64(n)
		t.seen.Set("toleratedFailureCount", value.Int(n))
	}
	if st.ToleratedPercentage != nil {
		n, err := t.s.seconds(t.b, st.ToleratedPercentage, "ToleratedFailurePercentage")
		if err != nil {
			return err
		}
		if most := float64(n) * float64(t.items) / 100; !t.tolerated || most < t.tolerance {
			t.tolerated, t.tolerance = true, most
		}
		t.seen.Set("toleratedFailurePercentage", value.Num(itoa(n)+".0"))
	}
	return nil
}

// readerError is the failure of an ItemReader. Its cause does not name the state
// (recorded).
type readerError struct{ failure }

// Error returns the cause.
func (e *readerError) Error() string { return *e.Cause }

func readerFailed(cause string) error {
	return &readerError{failed("States.ItemReaderFailed", cause)}
}

// readItems returns the items that an ItemReader makes of what it finds.
func (t *Trial) readItems(r *asl.ItemReader, data string) (value.Value, error) {
	most, err := t.s.seconds(t.b, r.MaxItems, "MaxItems")
	if err != nil {
		return value.Value{}, err
	}
	var items []value.Value
	switch r.InputType {
	case "CSV":
		items, err = t.csvItems(r, data)
	case "JSONL":
		items, err = t.lineItems(data)
	case "PARQUET", "MANIFEST":
		err = readerFailed("Items of the type " + r.InputType + " cannot be given as text.")
	default:
		items, err = t.jsonItems(r, data)
	}
	if err != nil {
		return value.Value{}, err
	}
	if most > 0 && int64(len(items)) > most {
		items = items[:most]
	}
	return value.Arr(items...), nil
}

func (t *Trial) jsonItems(r *asl.ItemReader, data string) ([]value.Value, error) {
	t.s.meter.Hold(value.DecodedSize(data))
	t.s.meter.Work(int64(len(data)) / 2)
	found, err := value.DecodeString(data)
	if err != nil {
		return nil, readerFailed(value.JacksonMessage([]byte(data)))
	}
	if r.ItemsPointer != nil {
		pointer := r.ItemsPointer.Literal
		if r.ItemsPointer.Expr != nil {
			v, err := r.ItemsPointer.Expr.EvalAs(t.scope(), value.String)
			if err != nil {
				return nil, err
			}
			pointer = v.Str()
		}
		found = pointed(found, pointer)
		if !found.IsUndefined() {
			t.see("afterItemsPointer", found)
		}
	}
	if found.Kind() != value.Array {
		return nil, readerFailed("Attempting to map over non-iterable node.")
	}
	return found.Items(), nil
}

// pointed follows a JSON Pointer (RFC 6901); undefined where it leads nowhere.
func pointed(v value.Value, pointer string) value.Value {
	_, rest, _ := strings.Cut(pointer, "/")
	if pointer == "" {
		return v
	}
	for part := range strings.SplitSeq(rest, "/") {
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		if v.Kind() != value.Array {
			v = v.Get(part)
			continue
		}
		index, err := value.DecodeString(part)
		i, whole := index.Int64()
		if err != nil || !whole || i < 0 || i >= int64(v.Len()) {
			return value.Value{}
		}
		v = v.At(int(i))
	}
	return v
}

func (t *Trial) lineItems(data string) ([]value.Value, error) {
	var items []value.Value
	for line := range strings.Lines(data) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		t.s.meter.Hold(value.DecodedSize(line))
		t.s.meter.Work(1 + int64(len(line))/2)
		item, err := value.DecodeString(line)
		if err != nil {
			return nil, readerFailed(value.JacksonMessage([]byte(strings.TrimRight(line, "\r\n"))))
		}
		items = append(items, item)
	}
	return items, nil
}

// delimiters are the names that CSVDelimiter has for characters.
var delimiters = map[string]rune{"COMMA": ',', "PIPE": '|', "SEMICOLON": ';', "SPACE": ' ', "TAB": '\t'}

// csvItems makes an object of texts of each row. Fields without a header are
// left out, headers without a field are empty.
func (t *Trial) csvItems(r *asl.ItemReader, data string) ([]value.Value, error) {
	reader := csv.NewReader(strings.NewReader(data))
	reader.FieldsPerRecord, reader.LazyQuotes = -1, true
	if delimiter, ok := delimiters[r.CSVDelimiter]; ok {
		reader.Comma = delimiter
	}
	headers := r.CSVHeaders
	var items []value.Value
	for {
		row, err := reader.Read()
		switch {
		case errors.Is(err, io.EOF):
			return items, nil
		case err != nil:
			return nil, readerFailed(err.Error())
		case headers == nil:
			headers = row
		}
		if items == nil && repeated(headers) {
			return nil, readerFailed("CSV headers cannot contain duplicates.")
		}
		if items == nil && r.CSVHeaderLocation != "GIVEN" {
			items = []value.Value{} // this row has the headers
			continue
		}
		t.s.meter.Hold(rowBytes + fieldBytes*int64(len(headers)))
		t.s.meter.Work(1 + int64(len(headers)))
		item := value.NewObject(len(headers))
		for i, header := range headers {
			field := ""
			if i < len(row) {
				field = row[i]
			}
			item.Set(header, value.Str(field))
		}
		items = append(items, item.Value())
	}
}

func repeated(names []string) bool {
	sorted := slices.Sorted(slices.Values(names))
	return len(slices.Compact(sorted)) < len(names)
}

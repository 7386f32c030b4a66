package odoo

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"strconv"
	"time"
)

// valueReader is what the reading of values keeps between them, to allocate less: a page of orders says the same field
// names, states, customers and units over and over.
type valueReader struct {
	elements []any // of the lists that are being read
	members  []int // of the last record, by depth
	names    [128]string
	scalars  [512]any // texts, integers and doubles that were read, each at the place that its hash gives
}

// maxShared is the longest text that is looked for among those read before: longer ones are rarely the same.
const maxShared = 48

var sharedSeed = maphash.MakeSeed()

// maxKept is how many elements and depths stay allocated for the next answer.
const maxKept = 4096

// reset forgets all that was read.
func (v *valueReader) reset() {
	if cap(v.elements) > maxKept {
		v.elements = nil
	}
	if cap(v.members) > maxKept {
		v.members = nil
	}
	clear(v.elements[:cap(v.elements)])
	v.elements, v.members = v.elements[:0], v.members[:0]
	clear(v.names[:])
	clear(v.scalars[:])
}

// value reads what stands in a value element, whose opening tag was read, and the closing tag: an int64, bool, float64,
// string, time.Time, []any, map[string]any, or nil, which an empty text and an empty record are as well. base64 is given
// as it is written.
func (r *xmlReader) value() (any, error) {
	if !r.space() {
		return nil, r.early()
	}
	if r.window[r.at] != '<' {
		return nil, errors.New("a value without a type")
	}
	t, err := r.tag()
	if err != nil {
		return nil, err
	}
	if t.closes {
		return nil, fmt.Errorf("a value without a type before %s", t)
	}
	var v any
	switch string(t.name) {
	case "string":
		v, err = r.scalar("string", t.empty, r.values.text)
	case "int":
		v, err = r.scalar("int", t.empty, r.values.integer)
	case "boolean":
		v, err = r.scalar("boolean", t.empty, boolean)
	case "double":
		v, err = r.scalar("double", t.empty, r.values.double)
	case "struct":
		v, err = r.record(t.empty)
	case "array":
		v, err = r.list(t.empty)
	case "nil":
		v, err = r.scalar("nil", t.empty, nothing)
	case "i4":
		v, err = r.scalar("i4", t.empty, r.values.integer)
	case "i8":
		v, err = r.scalar("i8", t.empty, r.values.integer)
	case "dateTime.iso8601":
		v, err = r.scalar("dateTime.iso8601", t.empty, moment)
	case "base64":
		v, err = r.scalar("base64", t.empty, r.values.text)
	default:
		err = fmt.Errorf("a value of the unknown type %.40q", t.name)
	}
	if err != nil {
		return nil, err
	}
	return v, r.leave("value")
}

// scalar reads a text, up to the tag that closes it, and what is meant by it.
func (r *xmlReader) scalar(name string, empty bool, meant func(text []byte) (any, error)) (any, error) {
	if empty {
		return meant(nil)
	}
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	v, err := meant(text)
	if err != nil {
		return nil, err
	}
	return v, r.leave(name)
}

func (r *xmlReader) list(empty bool) (any, error) {
	if empty {
		return nil, errors.New("an array without data")
	}
	t, err := r.tag()
	if err != nil {
		return nil, err
	}
	if t.closes || string(t.name) != "data" {
		return nil, fmt.Errorf("%s instead of the data of an array", t)
	}
	// All lists that are open share one stack, so that each is allocated once, at its length.
	from := len(r.values.elements)
	for !t.empty {
		ended, err := r.ends("data")
		if err != nil {
			return nil, err
		}
		if ended {
			break
		}
		if err := r.enter("value"); err != nil {
			return nil, err
		}
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		r.values.elements = append(r.values.elements, v)
	}
	list := append([]any{}, r.values.elements[from:]...)
	r.values.elements = r.values.elements[:from]
	return list, r.leave("array")
}

// record reads a struct. Of two members of one name the last counts.
func (r *xmlReader) record(empty bool) (any, error) {
	var members map[string]any
	if empty {
		return members, nil
	}
	// The record before it, at the same depth, is the best guess of this one's size. A guess that is too large costs no
	// more than that record did, for it is used once.
	for len(r.values.members) <= r.depth {
		r.values.members = append(r.values.members, 0)
	}
	depth := r.depth
	for {
		ended, err := r.ends("struct")
		if err != nil {
			return nil, err
		}
		if ended {
			break
		}
		name, v, err := r.member()
		if err != nil {
			return nil, err
		}
		if members == nil {
			members = make(map[string]any, r.values.members[depth])
		}
		members[name] = v
	}
	r.values.members[depth] = len(members)
	return members, nil
}

func (r *xmlReader) member() (name string, v any, err error) {
	if err := r.enter("member"); err != nil {
		return "", nil, err
	}
	if err := r.enter("name"); err != nil {
		return "", nil, err
	}
	text, err := r.text()
	if err != nil {
		return "", nil, err
	}
	if len(text) == 0 {
		return "", nil, errors.New("a member without a name")
	}
	name = r.values.name(text)
	if err := r.leave("name"); err != nil {
		return "", nil, err
	}
	if err := r.enter("value"); err != nil {
		return "", nil, err
	}
	if v, err = r.value(); err != nil {
		return "", nil, err
	}
	return name, v, r.leave("member")
}

func slot(text []byte, slots int) int { return int(maphash.Bytes(sharedSeed, text) % uint64(slots)) }

// name makes a string of a member's name, the same one as before where it can.
func (v *valueReader) name(text []byte) string {
	if len(text) > maxShared {
		return string(text)
	}
	shared := &v.names[slot(text, len(v.names))]
	if *shared != string(text) {
		*shared = string(text)
	}
	return *shared
}

func (v *valueReader) text(text []byte) (any, error) {
	switch {
	case len(text) == 0:
		return nil, nil
	case len(text) > maxShared:
		return string(text), nil
	}
	shared := &v.scalars[slot(text, len(v.scalars))]
	if before, ok := (*shared).(string); !ok || before != string(text) {
		*shared = string(text)
	}
	return *shared, nil
}

func (v *valueReader) integer(text []byte) (any, error) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return nil, err
	}
	shared := &v.scalars[slot(text, len(v.scalars))]
	if before, ok := (*shared).(int64); !ok || before != n {
		*shared = n
	}
	return *shared, nil
}

func (v *valueReader) double(text []byte) (any, error) {
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return nil, err
	}
	shared := &v.scalars[slot(text, len(v.scalars))]
	if before, ok := (*shared).(float64); !ok || math.Float64bits(before) != math.Float64bits(n) {
		*shared = n
	}
	return *shared, nil
}

func nothing(text []byte) (any, error) {
	if len(text) > 0 {
		return nil, fmt.Errorf("a nil that holds %.20q", text)
	}
	return nil, nil
}

func boolean(text []byte) (any, error) {
	switch string(text) {
	case "0":
		return false, nil
	case "1":
		return true, nil
	}
	return nil, fmt.Errorf("the boolean %.20q", text)
}

// momentLayouts are the spellings of dateTime.iso8601 that are in use.
var momentLayouts = []string{"20060102T15:04:05", "20060102T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00"}

func moment(text []byte) (any, error) {
	for _, layout := range momentLayouts {
		if t, err := time.Parse(layout, string(text)); err == nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("the time %.40q", text)
}

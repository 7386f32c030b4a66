package odoo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// xmlReader reads the plain XML in which XML-RPC is written, straight from a body and in one pass: elements without
// attributes, texts, and the five named references and the numbered ones. Everything beyond that is refused: a document
// type may hold entities that grow, and comments, CDATA sections, processing instructions, attributes and name spaces
// are not what an Odoo writes.
type xmlReader struct {
	bodyReader
	maxDepth int // of nested elements
	depth    int // open elements
	values   valueReader
}

// maxTagBytes bounds a tag, and the XML declaration: no longer one is XML-RPC.
const maxTagBytes = 256

// xmlReaders keeps readers for the next answer: what they allocated, unless it is large, and nothing of what they read.
var xmlReaders = sync.Pool{New: func() any { return &xmlReader{bodyReader: newBodyReader()} }}

// newXMLReader takes a reader out of the pool. release puts it back.
func newXMLReader(source io.Reader, maxBytes int64, maxDepth int) *xmlReader {
	r := xmlReaders.Get().(*xmlReader)
	r.open(source, maxBytes)
	r.maxDepth = maxDepth
	return r
}

func (r *xmlReader) release() {
	r.forget()
	r.depth = 0
	r.values.reset()
	xmlReaders.Put(r)
}

// early explains an end of the document where there should be more of it.
func (r *xmlReader) early() error {
	if r.stopped != io.EOF {
		return r.stopped
	}
	return fmt.Errorf("the answer ends after %d bytes, inside of %d elements", r.read, r.depth)
}

type tag struct {
	name          []byte // until the next byte is read
	closes, empty bool
}

// tag reads the next tag; before it there may be white space only. It counts the open elements, and refuses one too many.
func (r *xmlReader) tag() (tag, error) {
	if !r.space() {
		return tag{}, r.early()
	}
	if r.window[r.at] != '<' {
		return tag{}, fmt.Errorf("text where a tag should be: %.40q", r.window[r.at:min(r.at+40, r.end)])
	}
	var t tag
	i := 1
	if r.peek(i) == '/' {
		t.closes = true
		i++
	}
	nameAt := i
	for i < maxTagBytes && isNameByte(r.peek(i)) {
		i++
	}
	nameEnd := i
	for i < maxTagBytes && isSpace(r.peek(i)) {
		i++
	}
	if !t.closes && r.peek(i) == '/' {
		t.empty = true
		i++
	}
	if nameEnd == nameAt || r.peek(i) != '>' {
		if r.at+i >= r.end {
			return tag{}, r.early()
		}
		return tag{}, fmt.Errorf("markup that XML-RPC does not use: %.40q", r.window[r.at:min(r.at+40, r.end)])
	}
	t.name = r.window[r.at+nameAt : r.at+nameEnd]
	r.at += i + 1
	return t, r.count(t.closes, t.empty)
}

func (r *xmlReader) count(closes, empty bool) error {
	switch {
	case closes:
		r.depth--
	case r.depth >= r.maxDepth:
		return fmt.Errorf("elements nested more than %d deep", r.maxDepth)
	case !empty:
		r.depth++
	}
	return nil
}

// enter reads the tag that opens the element of a name.
func (r *xmlReader) enter(name string) error {
	if r.isNext('<', name) {
		r.at += len(name) + 2
		return r.count(false, false)
	}
	t, err := r.tag()
	if err != nil {
		return err
	}
	if t.closes || t.empty || string(t.name) != name {
		return fmt.Errorf("%s instead of <%s>", t, name)
	}
	return nil
}

// leave reads the tag that closes the element of a name.
func (r *xmlReader) leave(name string) error {
	if r.isNext('/', name) {
		r.at += len(name) + 3
		r.depth--
		return nil
	}
	t, err := r.tag()
	if err != nil {
		return err
	}
	if !t.closes || string(t.name) != name {
		return fmt.Errorf("%s instead of </%s>", t, name)
	}
	return nil
}

// ends reports whether the element of a name ends here, after white space, and reads its closing tag if so.
func (r *xmlReader) ends(name string) (bool, error) {
	if !r.space() {
		return false, r.early()
	}
	if r.window[r.at] != '<' || r.peek(1) != '/' {
		return false, nil
	}
	return true, r.leave(name)
}

// isNext reports whether the plainest spelling of a tag comes next, after white space: <name>, or </name> if before is a
// slash. It may miss one that is not yet read as a whole; it only saves time.
func (r *xmlReader) isNext(before byte, name string) bool {
	for r.at < r.end && isSpace(r.window[r.at]) {
		r.at++
	}
	next := r.window[r.at:r.end]
	skip := 1
	if before == '/' {
		skip = 2
	}
	return len(next) > skip+len(name) && next[0] == '<' && next[skip-1] == before &&
		string(next[skip:skip+len(name)]) == name && next[skip+len(name)] == '>'
}

func (t tag) String() string {
	if t.closes {
		return fmt.Sprintf("</%.40s>", t.name)
	}
	return fmt.Sprintf("<%.40s>", t.name)
}

// text reads the characters up to the next tag, as they are meant: references replaced, line ends made newlines. It holds
// until the next byte is read.
func (r *xmlReader) text() ([]byte, error) {
	plain := true
	for i := 0; ; {
		for _, c := range r.window[r.at+i : r.end] {
			if c == '<' {
				raw := r.window[r.at : r.at+i]
				r.at += i
				if plain {
					return raw, nil
				}
				return plainText(raw)
			}
			plain = plain && isPlain[c]
			i++
		}
		if !r.more() {
			return nil, r.early()
		}
	}
}

// declaration reads the XML declaration, if there is one. It takes UTF-8 alone, which Odoo writes.
func (r *xmlReader) declaration() error {
	const opens, closes = "<?xml ", "?>"
	if !r.space() {
		return nil
	}
	for i := range len(opens) {
		c := r.peek(i)
		if r.at+i >= r.end {
			return r.early()
		}
		if c != opens[i] && !(i == len(opens)-1 && isSpace(c)) {
			return nil // whatever else it is, tag refuses it
		}
	}
	i := len(opens)
	for r.peek(i) != '?' || r.peek(i+1) != '>' {
		if r.at+i >= r.end {
			return r.early()
		}
		if i++; i > maxTagBytes {
			return errors.New("an XML declaration without end")
		}
	}
	inside := r.window[r.at+len(opens) : r.at+i]
	r.at += i + len(closes)
	for inside = bytes.TrimLeft(inside, spaces); len(inside) > 0; inside = bytes.TrimLeft(inside, spaces) {
		name, rest, _ := bytes.Cut(inside, []byte("="))
		rest = bytes.TrimLeft(rest, spaces)
		if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
			return fmt.Errorf("an XML declaration with %.40q", inside)
		}
		value, after, closed := bytes.Cut(rest[1:], rest[:1])
		if !closed || !declares(string(bytes.TrimRight(name, spaces)), string(value)) {
			return fmt.Errorf("an XML declaration with %.40q", inside)
		}
		inside = after
	}
	return nil
}

// declares reports whether a document that declares this is one that is understood.
func declares(name, value string) bool {
	switch name {
	case "version":
		return value == "1.0"
	case "encoding":
		return strings.EqualFold(value, "utf-8")
	case "standalone":
		return value == "yes" || value == "no"
	}
	return false
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.'
}

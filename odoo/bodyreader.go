package odoo

import (
	"errors"
	"fmt"
	"io"
)

// bodyReader is the body of an answer as it is read: through a window, in one pass, and no further than a limit.
//
// What was read and not yet consumed stands in window[at:end]. Slices of it hold until the next byte is asked for.
type bodyReader struct {
	source   io.Reader
	maxBytes int64 // of the whole document

	window  []byte
	at, end int
	read    int64 // bytes so far
	stopped error // why nothing comes any more: io.EOF, errAnswerTooLarge or a *brokenBody
}

const (
	// windowSize is what is held of a document, unless a single text is longer.
	windowSize = 32 << 10
	// maxEmptyReads is how often a body may give neither bytes nor an error before it counts as stuck.
	maxEmptyReads = 100
)

// errAnswerTooLarge stops the reading of a document at its limit.
var errAnswerTooLarge = errors.New("the answer is too large")

// brokenBody is the error of the body under a document: the connection broke, or the time was over.
type brokenBody struct{ cause error }

func (b *brokenBody) Error() string { return "the answer broke off: " + b.cause.Error() }

func (b *brokenBody) Unwrap() error { return b.cause }

func newBodyReader() bodyReader { return bodyReader{window: make([]byte, windowSize)} }

func (r *bodyReader) open(source io.Reader, maxBytes int64) { r.source, r.maxBytes = source, maxBytes }

// forget makes the reader fit for another document. Nothing of what was read stays in it.
func (r *bodyReader) forget() {
	r.source, r.stopped = nil, nil
	r.at, r.end, r.read = 0, 0, 0
	if len(r.window) > windowSize {
		r.window = make([]byte, windowSize)
	}
	clear(r.window)
}

// more reads on, and moves what is not consumed to the start of the window. It reports false when nothing comes any more.
func (r *bodyReader) more() bool {
	if r.stopped != nil {
		return false
	}
	if r.at > 0 {
		r.end = copy(r.window, r.window[r.at:r.end])
		r.at = 0
	}
	if r.end == len(r.window) {
		r.window = append(r.window, make([]byte, len(r.window))...)
	}
	into := r.window[r.end:]
	if left := r.maxBytes - r.read; left < int64(len(into)) {
		into = into[:left+1] // one more shows that there is more
	}
	for range maxEmptyReads {
		n, err := r.source.Read(into)
		switch {
		case int64(n) > r.maxBytes-r.read:
			n--
			r.stopped = fmt.Errorf("%w: it is larger than %d bytes", errAnswerTooLarge, r.maxBytes)
		case err == io.EOF:
			r.stopped = io.EOF
		case err != nil:
			r.stopped = &brokenBody{cause: err}
		}
		r.end += n
		r.read += int64(n)
		if n > 0 || r.stopped != nil {
			return n > 0
		}
	}
	r.stopped = &brokenBody{cause: io.ErrNoProgress}
	return false
}

// space skips white space. It reports false at the end of the document.
func (r *bodyReader) space() bool {
	for {
		for r.at < r.end {
			if !isSpace(r.window[r.at]) {
				return true
			}
			r.at++
		}
		if !r.more() {
			return false
		}
	}
}

// peek returns the byte at a distance from the next one, 0 at the end of the document, which holds none itself.
func (r *bodyReader) peek(distance int) byte {
	for r.at+distance >= r.end {
		if !r.more() {
			return 0
		}
	}
	return r.window[r.at+distance]
}

// nothingElse holds that the document is over.
func (r *bodyReader) nothingElse() error {
	if r.space() {
		return fmt.Errorf("more after the answer: %.40q", r.window[r.at:min(r.at+40, r.end)])
	}
	if r.stopped != io.EOF {
		return r.stopped
	}
	return nil
}

const spaces = " \t\r\n"

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

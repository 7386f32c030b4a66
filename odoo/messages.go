package odoo

import (
	"errors"
	"strings"
)

// importMessage is a text of load's messages, as the cause of an *Error: load said itself that it made nothing, and Odoo
// has rolled back.
type importMessage string

func (m importMessage) Error() string { return string(m) }

// saidByLoad reports whether an error is load's own word, after which it is certain that the call made nothing.
func saidByLoad(e *Error) bool {
	var m importMessage
	return errors.As(e, &m)
}

// loadRefusal reads why load made nothing. Its messages name rows; where they do, the records of these rows are refused
// and nothing is said of the others. A lost race anywhere outweighs all that, which may only be its consequences.
func loadRefusal(v any, tables []table) loadEnd {
	messages, err := records(v)
	if err != nil {
		return loadEnd{err: typed(err)}
	}
	if len(messages) == 0 {
		return loadEnd{err: badAnswer(errors.New("load refused without a message"))}
	}
	for i := range messages {
		text := messages[i].text("message")
		if lostRace.MatchString(text) {
			return loadEnd{err: &Error{Outcome: Unknown, Reason: Serialization, Row: -1, Cause: importMessage(text),
				Message: "Odoo could not finish beside concurrent changes"}}
		}
	}
	messages = aboutRecords(messages, tables)
	first, err := messageError(&messages[0])
	if err != nil {
		return loadEnd{err: typed(err)}
	}
	if len(tables) > 1 && len(messages) == 1 && first.Reason == ServerError {
		// Of a transaction that broke, load blames the first record, whoever broke it.
		return loadEnd{err: first}
	}
	refused := map[int]*Error{}
	for i := range messages {
		number, offset := recordAtFault(&messages[i], tables)
		if number < 0 || refused[number] != nil { // of several messages about a record the first counts
			continue
		}
		e, err := messageError(&messages[i])
		if err != nil {
			return loadEnd{err: typed(err)}
		}
		e.Row = rowAtFault(&messages[i], offset)
		tables[number].locate(e)
		refused[number] = e
	}
	if len(refused) == 0 {
		return loadEnd{err: first}
	}
	return loadEnd{refused: refused}
}

// aboutRecords leaves out the messages that are not about a record's own fault: warnings, such as the one that load
// stopped after ten errors, and, from 17 on, what it puts before the others when the records failed together. That names the
// first record, whichever it was; should it be at fault too, it is named again once the others are gone.
func aboutRecords(messages []record, tables []table) []record {
	var about []record
	for _, m := range messages {
		if kind, _ := m.values["type"].(string); kind != "warning" {
			about = append(about, m)
		}
	}
	if len(about) == 0 {
		return messages
	}
	if len(tables) == 1 || len(about) == 1 {
		return about
	}
	number, _ := recordAtFault(&about[0], tables)
	if _, named := about[0].values["field"]; number == 0 && !named {
		return about[1:]
	}
	return about
}

// messageError makes an *Error of one of load's messages. Its error is that of a message that is none.
func messageError(m *record) (*Error, error) {
	text := m.text("message")
	if m.err != nil {
		return nil, m.err
	}
	if kind := importFailure.FindStringSubmatch(text); kind != nil && !strings.HasPrefix(kind[1], "odoo.exceptions.") || internals.MatchString(text) {
		// Not Odoo's word on the content: it may be a database that is short of something, and pass.
		return &Error{Outcome: Unknown, Reason: ServerError, Row: -1, Cause: importMessage(text),
			Message: "an error inside Odoo; its own log has the details"}, nil
	}
	e := &Error{Outcome: Rejected, Reason: BusinessRule, Row: -1, Cause: importMessage(text)}
	said := importFailure.ReplaceAllString(text, "")
	e.Message = clean(said)
	if notAllowed.MatchString(text) {
		e.Reason, e.Message = AccessRights, cleanDenial(said)
	}
	e.Field, _ = m.values["field"].(string)
	return e, nil
}

// recordAtFault is the position of the record whose rows a message names, and the row that it begins with; -1 if the
// message names none.
func recordAtFault(m *record, tables []table) (number, offset int) {
	from, _, ok := namedRows(m)
	if !ok || from < 0 {
		return -1, 0
	}
	for i, t := range tables {
		if from < offset+len(t.rows) {
			return i, offset
		}
		offset += len(t.rows)
	}
	return -1, 0
}

// rowAtFault is the row of its record that a message names; -1 if it names none, or all rows of the record.
func rowAtFault(m *record, offset int) int {
	from, to, ok := namedRows(m)
	if !ok || from != to {
		return -1
	}
	return from - offset
}

func namedRows(m *record) (from, to int, ok bool) {
	rows, _ := m.values["rows"].(map[string]any)
	first, ok1 := rows["from"].(int64)
	last, ok2 := rows["to"].(int64)
	return int(first), int(last), ok1 && ok2
}

// locate finds the cell at fault. Of a wrong value in a line, Odoo names only the field that holds the lines and the rows
// of the whole order, but quotes the value: where one cell alone holds that, it is the one.
func (t table) locate(e *Error) {
	if e.Field == "" {
		return
	}
	found := 0
	row, column := -1, ""
	for i, cells := range t.rows {
		for j, cell := range cells {
			if cell == "" || !belongsTo(t.columns[j], e.Field) || !strings.Contains(e.Message, "'"+cell+"'") {
				continue
			}
			found++
			row, column = i, t.columns[j]
		}
	}
	if found == 1 {
		e.Row, e.Field = row, column
	}
}

func belongsTo(column, field string) bool {
	return column == field || strings.HasPrefix(column, field+"/")
}

package odoorpc

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"time"
)

// APIKey makes an API key for a user of Odoo 18 or later, good for three months, and says how to delete it again. It does so as a
// browser, for only a browser may.
func APIKey(url, database, user, password string) (key string, remove func() error, err error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", nil, err
	}
	b := browser{url: url, password: password, http: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
	defer b.http.CloseIdleConnections()
	var session struct {
		UID int64 `json:"uid"`
	}
	if err := b.post("/web/session/authenticate", map[string]any{"db": database, "login": user, "password": password}, &session); err != nil {
		return "", nil, err
	}
	const wizard = "res.users.apikeys.description"
	name := "test " + rand.Text()
	var made []int64
	if err := b.call(wizard, "create", []any{[]any{map[string]any{"name": name, "duration": "90"}}}, nil, &made); err != nil {
		return "", nil, err
	}
	shown, err := b.callChecked(wizard, "make_key", made)
	if err != nil {
		return "", nil, err
	}
	if shown.Context.Key == "" {
		return "", nil, fmt.Errorf("make_key: answered %+v", shown)
	}
	return shown.Context.Key, func() error {
		defer b.http.CloseIdleConnections()
		var ids []int64
		if err := b.call("res.users.apikeys", "search", []any{[]any{[]any{"name", "=", name}}}, nil, &ids); err != nil {
			return err
		}
		_, err := b.callChecked("res.users.apikeys", "remove", ids)
		return err
	}, nil
}

// action is what Odoo wants the web client to do next.
type action struct {
	Model   string `json:"res_model"`
	ID      int64  `json:"res_id"`
	Context struct {
		Key string `json:"default_key"`
	} `json:"context"`
}

// callChecked calls a method before which Odoo asks for the password once more, unless it just has.
func (b browser) callChecked(model, method string, ids []int64) (action, error) {
	const check = "res.users.identitycheck"
	var next action
	err := b.call(model, method, []any{ids}, nil, &next)
	if err != nil || next.Model != check {
		return next, err
	}
	err = b.call(check, "run_check", []any{[]any{next.ID}}, map[string]any{"password": b.password}, &next)
	return next, err
}

// browser calls an Odoo as its web client does.
type browser struct {
	url, password string
	http          *http.Client
}

func (b browser) call(model, method string, args []any, context map[string]any, into any) error {
	return b.post("/web/dataset/call_kw/"+model+"/"+method, map[string]any{
		"model": model, "method": method, "args": args, "kwargs": map[string]any{"context": context},
	}, into)
}

func (b browser) post(path string, params map[string]any, into any) error {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": "call", "params": params})
	if err != nil {
		return err
	}
	resp, err := b.http.Post(b.url+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Data struct {
				Message string `json:"message"`
			} `json:"data"`
		} `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: HTTP status %d: %w", path, resp.StatusCode, err)
	}
	if answer.Error != nil {
		return fmt.Errorf("%s: %s", path, answer.Error.Data.Message)
	}
	return json.Unmarshal(answer.Result, into)
}

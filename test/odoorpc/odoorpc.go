// Package odoorpc calls any method of an Odoo, as its users do past the gateway. It is for tests: it shares nothing
// with the gateway's own client, so that a mistake of that one is not repeated here.
package odoorpc

import (
	"errors"
	"fmt"
	"sync"

	"github.com/kolo/xmlrpc"
)

// account is a user of a database.
type account struct{ url, database, user, password string }

// ids are the user ids of accounts that logged in before: a login takes Odoo half a second, for the hash of the password.
var ids sync.Map

// Execute calls a method of a model with positional and keyword arguments. Booleans of Odoo's empty
// fields, int64, float64, string, []any and map[string]any are what comes back.
func Execute(url, database, user, password, model, method string, args []any, kwargs map[string]any) (any, error) {
	uid, err := login(account{url, database, user, password})
	if err != nil {
		return nil, err
	}
	object, err := xmlrpc.NewClient(url+"/xmlrpc/2/object", nil)
	if err != nil {
		return nil, err
	}
	defer object.Close()
	if args == nil {
		args = []any{}
	}
	if kwargs == nil {
		kwargs = map[string]any{}
	}
	var answer any
	if err := object.Call("execute_kw", []any{database, uid, password, model, method, args, kwargs}, &answer); err != nil {
		return nil, fmt.Errorf("%s.%s: %w", model, method, err)
	}
	return answer, nil
}

func login(a account) (any, error) {
	if uid, known := ids.Load(a); known {
		return uid, nil
	}
	common, err := xmlrpc.NewClient(a.url+"/xmlrpc/2/common", nil)
	if err != nil {
		return nil, err
	}
	defer common.Close()
	var uid any
	if err := common.Call("authenticate", []any{a.database, a.user, a.password, map[string]any{}}, &uid); err != nil {
		return nil, fmt.Errorf("authenticate: %w", err)
	}
	if _, ok := uid.(int64); !ok {
		return nil, errors.New("authenticate: refused")
	}
	ids.Store(a, uid)
	return uid, nil
}

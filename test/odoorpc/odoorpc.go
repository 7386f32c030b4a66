// Package odoorpc calls any method of an Odoo, as its users do past the gateway. It is for tests: it shares nothing
// with the gateway's own client, so that a mistake of that one is not repeated here.
package odoorpc

import (
	"errors"
	"fmt"

	"github.com/kolo/xmlrpc"
)

// Execute logs in and calls a method of a model with positional and keyword arguments. Booleans of Odoo's empty
// fields, int64, float64, string, []any and map[string]any are what comes back.
func Execute(url, database, user, password, model, method string, args []any, kwargs map[string]any) (any, error) {
	common, err := xmlrpc.NewClient(url+"/xmlrpc/2/common", nil)
	if err != nil {
		return nil, err
	}
	defer common.Close()
	var login any
	if err := common.Call("authenticate", []any{database, user, password, map[string]any{}}, &login); err != nil {
		return nil, fmt.Errorf("authenticate: %w", err)
	}
	uid, ok := login.(int64)
	if !ok {
		return nil, errors.New("authenticate: refused")
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

package faults

import (
	"encoding/xml"
	"testing"

	"github.com/kolo/xmlrpc"
	"github.com/stretchr/testify/require"
)

// An answer that Odoo would never give tests how the gateway reads nonsense, and not what it makes of that answer.
func TestAnswersInTroubleAreOnesThatOdooGives(t *testing.T) {
	t.Parallel()
	var value any
	fault := xmlrpc.Response(faultOne(cannotMarshal))
	var f xmlrpc.FaultError
	require.ErrorAs(t, fault.Err(), &f)
	require.Equal(t, 1, f.Code)
	require.Contains(t, f.String, cannotMarshal)
	requireBalanced(t, string(fault))

	message := xmlrpc.Response(loadMessage("no"))
	require.NoError(t, message.Unmarshal(&value))
	require.Equal(t, map[string]any{
		"ids": false, "nextrow": int64(0), "messages": []any{map[string]any{
			"rows": map[string]any{"from": int64(0), "to": int64(0)}, "record": int64(0), "type": "error", "message": "no",
		}},
	}, value)
	requireBalanced(t, string(message))
}

func requireBalanced(t *testing.T, answer string) {
	t.Helper()
	var anything struct{ XMLName xml.Name }
	require.NoError(t, xml.Unmarshal([]byte(answer), &anything))
}

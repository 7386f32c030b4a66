package order_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestErrorKeepsItsCauseForTheLog(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	plain := order.Errorf(order.Unavailable, "erp_unavailable", "The ERP cannot be reached.")
	full := plain.Because(cause).RetryIn(time.Second)
	require.ErrorIs(t, full, cause)
	require.Contains(t, full.Error(), "connection refused")
	require.NotContains(t, full.Message, "connection refused")
	require.Nil(t, plain.Cause, "the original is not changed")
	require.True(t, order.IsKind(fmt.Errorf("wrapped: %w", full), order.Unavailable))
	require.False(t, order.IsKind(full, order.Conflict))
	require.False(t, order.IsKind(cause, order.Internal))
}

package ordersync

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddressFinding(t *testing.T) {
	t.Parallel()
	require.True(t, addressFinding("gateway@example.com").OK)
	lacking := addressFinding("")
	require.False(t, lacking.OK)
	require.Contains(t, lacking.Advice, "Settings, Users")
}

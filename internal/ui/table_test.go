package ui

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func written(t *testing.T, table *Table, width int) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, table.Write(&out, width))
	return out.String()
}

func sample() *Table {
	table := NewTable("HOST", "STATE", "DETAIL")
	table.Row("control-1", "ok")
	table.Row("agent-21", "lost", "no answer on\nport 5051 for a long time")
	return table
}

func TestTableAligns(t *testing.T) {
	require.Equal(t, strings.Join([]string{
		"HOST       STATE  DETAIL",
		"control-1  ok",
		"agent-21   lost   no answer on port 5051 for a long time",
		"",
	}, "\n"), written(t, sample(), 0))
}

func TestTableFitsTheTerminal(t *testing.T) {
	text := written(t, sample(), 30)
	require.Equal(t, "HOST       STATE  DETAIL\ncontrol-1  ok\nagent-21   lost   no answer...\n", text)
	for _, line := range strings.Split(written(t, sample(), 3), "\n") {
		require.LessOrEqual(t, len(line), 8+2+5+2+8, "no column is cut below eight")
	}
}

func TestTableWithoutHeaderOrRows(t *testing.T) {
	require.Empty(t, written(t, &Table{}, 10))
	table := &Table{}
	table.Row("ü", "x")
	table.Row("uu", "y")
	require.Equal(t, "ü   x\nuu  y\n", written(t, table, 0))
}

func TestWhatTellsRowsApartIsCutLast(t *testing.T) {
	table := NewTable("HOST", "ADDRESS", "PID", "NOTE").Keep("HOST", "ADDRESS").Spare("PID")
	table.Row("control-1", "172.26.100.101", "1234567", "a long remark about it")
	table.Row("control-2", "172.26.100.102", "7", "")
	for width, want := range map[int]string{
		0: "HOST       ADDRESS         PID      NOTE\n" +
			"control-1  172.26.100.101  1234567  a long remark about it\ncontrol-2  172.26.100.102  7\n",
		44: "HOST       ADDRESS         PID      NOTE\ncontrol-1  172.26.100.101  1234567  a lon...\ncontrol-2  172.26.100.102  7\n",
		40: "HOST       ADDRESS         NOTE\ncontrol-1  172.26.100.101  a long rem...\ncontrol-2  172.26.100.102\n",
		34: "HOST       ADDRESS        NOTE\ncontrol-1  172.26.100...  a lon...\ncontrol-2  172.26.100...\n",
	} {
		require.Equal(t, want, written(t, table, width), width)
	}
}

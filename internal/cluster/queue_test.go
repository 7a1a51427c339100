package cluster

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func testdata(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return data
}

func recordedQueue(t *testing.T, name string) *queueItem {
	t.Helper()
	var queue struct {
		Queue []queueItem `json:"queue"`
	}
	require.NoError(t, json.Unmarshal(testdata(t, name), &queue))
	require.Len(t, queue.Queue, 1)
	return &queue.Queue[0]
}

func TestRejectsOfRecordedQueues(t *testing.T) {
	for file, want := range map[string]string{
		"queue-mem.json":               "3 offers: all lack 97.66 GiB memory, largest has 4 GiB",
		"queue-constraints.json":       "3 offers: all outside the constraints [[rack IS rack-9]]",
		"queue-mixed.json":             "3 offers: 1 outside the constraints [[rack UNLIKE rack-3]]; 1 lacks 2 cpus, largest has 1; 1 lacks 2.93 GiB memory, largest has 2 GiB",
		"queue-fixed-port-second.json": "3 offers: 2 outside the constraints [[rack IS rack-1]]; 1 lacks port 31002",
	} {
		assert.Equal(t, want, recordedQueue(t, file).rejects(nil), file)
	}
}

func TestRejectsTakeTheLargestFromTheAgents(t *testing.T) {
	q := recordedQueue(t, "queue-mem.json")
	q.Unused, q.App.Mem = nil, 1536
	for i := range q.Summary.Last {
		q.Summary.Last[i].Processed, q.Summary.Last[i].Declined = 2, min(q.Summary.Last[i].Declined, 2)
	}
	agents := []Agent{
		{Active: true, Total: Resources{Mem: 1000}, Used: Resources{Mem: 100}},
		{Active: false, Total: Resources{Mem: 64000}},
	}
	assert.Equal(t, "2 offers: both lack 1.5 GiB memory, largest has 900 MiB", q.rejects(agents))
}

func TestRejectsSingleOfferAndNone(t *testing.T) {
	q := &queueItem{}
	assert.Empty(t, q.rejects(nil))
	q.Summary.Last = []reject{{Reason: "UnfulfilledConstraint", Declined: 1, Processed: 1}}
	assert.Equal(t, "1 offer: it under maintenance or outside the master's region", q.rejects(nil))
}

func TestRejectsOfAnEarlierDefinitionAreNotRepeated(t *testing.T) {
	q := recordedQueue(t, "queue-mem.json")
	q.App.Mem = 32
	assert.Empty(t, q.rejects(nil))
}

func TestEveryReasonOfMarathonHasWords(t *testing.T) {
	q := recordedQueue(t, "queue-mem.json")
	for _, row := range q.Summary.Last {
		assert.NotContains(t, q.reason(row, nil), "refused (", row.Reason)
	}
	assert.Equal(t, "refused (Novelty)", q.reason(reject{Reason: "Novelty"}, nil))
}

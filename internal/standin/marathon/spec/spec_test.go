package spec

import (
	"encoding/json"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type recorded struct {
	Note   string          `json:"note"`
	Body   string          `json:"body"`
	Status int             `json:"status"`
	Answer json.RawMessage `json:"answer"`
}

func recordings(t *testing.T, file string) []recorded {
	t.Helper()
	data, err := os.ReadFile("../contract/testdata/" + file)
	require.NoError(t, err)
	var out []recorded
	require.NoError(t, json.Unmarshal(data, &out))
	return out
}

// complaintsOf brings an answer of the real program and ours into one comparable form; the order is not fixed.
func complaintsOf(message string, details []Detail) string {
	var lines []string
	for _, d := range details {
		lines = append(lines, d.Path+": "+strings.Join(d.Errors, " | "))
	}
	sort.Strings(lines)
	return message + "\n" + strings.Join(lines, "\n")
}

func TestBodiesAreJudgedAsRecorded(t *testing.T) {
	for _, r := range append(recordings(t, "create-app.json"), recordings(t, "echo.json")...) {
		t.Run(r.Note, func(t *testing.T) {
			app, err := Parse([]byte(r.Body), Options{Role: "*"})
			switch r.Status {
			case 201:
				require.NoError(t, err, r.Body)
				got, err := json.Marshal(app)
				require.NoError(t, err)
				assert.JSONEq(t, sortConstraints(t, r.Answer), sortConstraints(t, got))
			case 500:
				var fault *Fault
				require.ErrorAs(t, err, &fault)
				assert.JSONEq(t, string(r.Answer), `{"message":"`+fault.Text+`"}`)
			default:
				var invalid *Invalid
				require.ErrorAs(t, err, &invalid, r.Body)
				var want struct {
					Message string   `json:"message"`
					Details []Detail `json:"details"`
				}
				require.NoError(t, json.Unmarshal(r.Answer, &want))
				assert.Equal(t, complaintsOf(want.Message, want.Details), complaintsOf(invalid.Message, invalid.Details), r.Body)
			}
		})
	}
}

// The real program echoes constraints in the order of a hash set.
func sortConstraints(t *testing.T, raw []byte) string {
	var doc map[string]any
	require.NoError(t, json.Unmarshal(raw, &doc))
	if list, ok := doc["constraints"].([]any); ok {
		sort.Slice(list, func(i, j int) bool {
			a, _ := json.Marshal(list[i])
			b, _ := json.Marshal(list[j])
			return string(a) < string(b)
		})
	}
	out, err := json.Marshal(doc)
	require.NoError(t, err)
	return string(out)
}

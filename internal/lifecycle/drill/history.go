package drill

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/wholefile"
)

func resultsDir(state string) string { return filepath.Join(state, "drill", "results") }

// Save keeps a result in the state folder.
func Save(state string, r Result) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(resultsDir(state), 0o700); err != nil {
		return err
	}
	path := filepath.Join(resultsDir(state), r.Began.UTC().Format("20060102T150405.000")+"-"+r.Name+".json")
	if err := wholefile.Write(path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("keeping the result: %w", err)
	}
	return nil
}

// History are the results that are kept, the oldest first.
func History(state string) ([]Result, error) { return (&Reader{}).History(state) }

// Reader is for those who read the results again and again. The zero Reader is ready.
type Reader struct {
	results wholefile.Memo[Result]
}

// History is what the function of that name gives. What is in the results must not be changed.
func (r *Reader) History(state string) ([]Result, error) {
	entries, err := os.ReadDir(resultsDir(state))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the results of drills: %w", err)
	}
	var all []Result
	var read []string
	defer func() { r.results.Only(read...) }()
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".json") || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		path := filepath.Join(resultsDir(state), entry.Name())
		read = append(read, path)
		one, err := r.results.Of(path, func() (one Result, err error) {
			data, err := os.ReadFile(path)
			if err == nil {
				err = json.Unmarshal(data, &one)
			}
			return one, err
		})
		if err != nil {
			return nil, fmt.Errorf("reading the result of a drill (move it away to go on without it): %s: %w", path, err)
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b Result) int { return a.Began.Compare(b.Began) })
	return all, nil
}

// LastRun are the results of the newest run.
func LastRun(results []Result) []Result {
	if len(results) == 0 {
		return nil
	}
	last := results[len(results)-1].Run
	return slices.DeleteFunc(slices.Clone(results), func(r Result) bool { return r.Run != last })
}

// Trend is how one scenario has gone over time.
type Trend struct {
	Name string `json:"name"`
	// Runs counts all results, Passed those that passed.
	Runs   int `json:"runs"`
	Passed int `json:"passed"`
	// Target is the one of the last result, in seconds.
	Target float64 `json:"target"`
	// Last, Best, Median and Worst are recoveries in seconds, of the drills that recovered; Last is -1 where the last one did not, the others
	// where none did.
	Last   float64 `json:"last"`
	Best   float64 `json:"best"`
	Median float64 `json:"median"`
	Worst  float64 `json:"worst"`
	// Spread is Worst less Best.
	Spread float64 `json:"spread"`
	// Change is what the last recovery took longer than the median of those before it; 0 without any.
	Change float64 `json:"change"`
	// Lost are the configurations and builds that were lost in all of them.
	LostConfigurations int `json:"lostConfigurations"`
	LostBuilds         int `json:"lostBuilds"`
}

// Trends are the trends of all scenarios that have results, by name.
func Trends(results []Result) []Trend {
	byName := map[string]*Trend{}
	times := map[string][]float64{}
	for _, r := range results {
		t := byName[r.Name]
		if t == nil {
			t = &Trend{Name: r.Name, Best: -1, Median: -1, Worst: -1}
			byName[r.Name] = t
		}
		t.Runs++
		if r.Passed {
			t.Passed++
		}
		t.Target = r.Target.Recovery
		t.LostConfigurations += r.Lost.Configurations
		t.LostBuilds += r.Lost.Builds
		t.Last = r.Recovery.Seconds
		if !r.Recovered || r.Recovery.Seconds < 0 {
			t.Last, t.Change = -1, 0
			continue
		}
		if before := times[r.Name]; len(before) > 0 {
			t.Change = round2(r.Recovery.Seconds - median(before))
		}
		times[r.Name] = append(times[r.Name], r.Recovery.Seconds)
	}
	var all []Trend
	for name, t := range byName {
		if list := times[name]; len(list) > 0 {
			t.Best, t.Median, t.Worst = slices.Min(list), median(list), slices.Max(list)
			t.Spread = round2(t.Worst - t.Best)
		}
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b Trend) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return round2((sorted[n/2-1] + sorted[n/2]) / 2)
}

// round2 rounds to hundredths, also what is negative.
func round2(v float64) float64 {
	if v < 0 {
		return -round(-v)
	}
	return round(v)
}

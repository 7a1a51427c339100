package config

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]Size{
		"512MiB": 512 * MiB, "2GiB": 2 * GiB, "1.5GiB": 1536 * MiB, "500MB": 500_000_000, "1TiB": TiB, "7B": 7,
		"64kib": 64 * KiB, "1 GiB": GiB, "0MiB": 0, "0.5KiB": 512, "2TB": 2e12,
	} {
		got, err := ParseSize(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		assert.Regexp(t, regexp.MustCompile(SizePattern), text)
	}
	for text, rule := range map[string]string{
		"512": "has no unit", "": "number with a unit", "-1GiB": "negative", "1XB": "unknown unit XB", "GiB": "number with a unit",
		"1e3MiB": "number with a unit", "0x10MiB": "number with a unit", "99999999999TiB": "larger than any machine", "1,5GiB": "number with a unit", "1Mi": "unknown unit",
	} {
		_, err := ParseSize(text)
		require.ErrorContains(t, err, rule, text)
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10m": 10 * time.Minute, "2s": 2 * time.Second, "4h": 4 * time.Hour, "1d": 24 * time.Hour, "1d12h": 36 * time.Hour,
		"1h30m": 90 * time.Minute, "1.5h": 90 * time.Minute, "250ms": 250 * time.Millisecond, "0s": 0,
	} {
		got, err := ParseDuration(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got.Duration(), text)
		assert.Regexp(t, regexp.MustCompile(DurationPattern), text)
	}
	for text, rule := range map[string]string{
		"10": "has no unit", "": "number with a unit", "-1m": "negative", "1w": "number with a unit", "d": "number with a unit", "1h2d": "number with a unit",
		"400000d": "292 years", "9999999h": "292 years", "106751d24h": "292 years",
	} {
		_, err := ParseDuration(text)
		require.ErrorContains(t, err, rule, text)
	}
}

func TestUnitsAreWrittenAsPeopleWriteThem(t *testing.T) {
	for want, d := range map[string]time.Duration{"10m": 10 * time.Minute, "4h": 4 * time.Hour, "1h30m": 90 * time.Minute, "20s": 20 * time.Second, "0s": 0, "10m20s": 620 * time.Second, "1h0m5s": time.Hour + 5*time.Second} {
		assert.Equal(t, want, Duration(d).String())
	}
	for want, s := range map[string]Size{"512MiB": 512 * MiB, "1536MiB": 1536 * MiB, "500MB": 500e6, "0MiB": 0, "7B": 7} {
		assert.Equal(t, want, s.String())
	}
	assert.Equal(t, 1536, Size(1536*MiB+5).MiB())
}

func TestUnitsInYAMLAndJSON(t *testing.T) {
	type both struct {
		Mem  Size     `yaml:"mem" json:"mem"`
		Idle Duration `yaml:"idle" json:"idle"`
	}
	want := both{Mem: 512 * MiB, Idle: Duration(3 * time.Minute)}
	text, err := yaml.Marshal(want)
	require.NoError(t, err)
	require.Equal(t, "mem: 512MiB\nidle: 3m\n", string(text))
	var got both
	require.NoError(t, yaml.Unmarshal(text, &got))
	require.Equal(t, want, got)
	require.Error(t, yaml.Unmarshal([]byte("mem: 512"), &got))
	data, err := json.Marshal(want)
	require.NoError(t, err)
	require.JSONEq(t, `{"mem":"512MiB","idle":"3m"}`, string(data))
}

func TestSourceInYAML(t *testing.T) {
	for _, want := range []Source{{Standin: true}, {Path: "/opt/mesos"}, {Apt: "mesos", Repository: "deb https://x/ stable main"}} {
		text, err := yaml.Marshal(Component{Source: want})
		require.NoError(t, err)
		var got Component
		require.NoError(t, yaml.Unmarshal(text, &got), string(text))
		require.Equal(t, want, got.Source)
	}
}

func FuzzSize(f *testing.F) {
	for _, s := range []string{"512MiB", "1.5GiB", "-1B", "9223372036854775807B", "0.0000001TiB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSize(text)
		if err != nil {
			return
		}
		require.GreaterOrEqual(t, s, Size(0))
		back, err := ParseSize(s.String())
		require.NoError(t, err)
		require.Equal(t, s, back)
	})
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"10m", "1d12h", "1.5h", "-1s", "106751d23h47m16s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDuration(text)
		if err != nil {
			return
		}
		require.GreaterOrEqual(t, d, Duration(0))
		back, err := ParseDuration(d.String())
		require.NoError(t, err)
		require.Equal(t, d, back)
	})
}

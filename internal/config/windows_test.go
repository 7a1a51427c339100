package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	m, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return m
}

func span(d time.Duration) Duration { return Duration(d) }

func TestWindowContains(t *testing.T) {
	w := Window{Days: []string{"sat"}, Start: "22:00", Length: span(4 * time.Hour), Zone: "Asia/Shanghai"}
	for text, open := range map[string]bool{
		"2026-11-21T13:59:59Z": false, // Saturday, 21:59:59 in Shanghai
		"2026-11-21T14:00:00Z": true,
		"2026-11-21T17:59:59Z": true, // Sunday there
		"2026-11-21T18:00:00Z": false,
		"2026-11-22T14:00:00Z": false,
	} {
		assert.Equal(t, open, w.Contains(at(t, text)), text)
	}
	week := Window{Days: []string{"mon"}, Start: "00:00", Length: span(7 * 24 * time.Hour), Zone: "UTC"}
	assert.True(t, week.Contains(at(t, "2026-11-22T23:59:59Z")), "Sunday, the last second of the week")
}

func TestWindowsWhereTheClockJumps(t *testing.T) {
	for name, test := range map[string]struct {
		zone, start, day string
		open             string
	}{
		// Berlin: 2026-03-29 02:00 -> 03:00 (01:00Z), 2026-10-25 03:00 -> 02:00 (01:00Z)
		"before the jump":        {"Europe/Berlin", "01:30", "2026-03-29", "2026-03-29T00:30:00Z"},
		"in the jump":            {"Europe/Berlin", "02:30", "2026-03-29", "2026-03-29T01:00:00Z"},
		"after the jump":         {"Europe/Berlin", "03:00", "2026-03-29", "2026-03-29T01:00:00Z"},
		"twice, the first":       {"Europe/Berlin", "02:30", "2026-10-25", "2026-10-25T00:30:00Z"},
		"after the hour":         {"Europe/Berlin", "03:00", "2026-10-25", "2026-10-25T02:00:00Z"},
		"in the jump, New York":  {"America/New_York", "02:30", "2026-03-08", "2026-03-08T07:00:00Z"},
		"twice, New York":        {"America/New_York", "01:30", "2026-11-01", "2026-11-01T05:30:00Z"},
		"half an hour, twice":    {"Australia/Lord_Howe", "01:45", "2026-04-05", "2026-04-04T14:45:00Z"},
		"midnight does not come": {"America/Santiago", "00:00", "2026-09-06", "2026-09-06T04:00:00Z"},
		"an ordinary day":        {"Europe/Berlin", "22:00", "2026-07-18", "2026-07-18T20:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			day, err := time.Parse(time.DateOnly, test.day)
			require.NoError(t, err)
			w := Window{Days: weekdays(), Start: test.start, Length: span(time.Hour), Zone: test.zone}
			zone, err := w.location()
			require.NoError(t, err)
			o, ok := w.opening(zone, day.Year(), day.Month(), day.Day())
			require.True(t, ok)
			require.Equal(t, test.open, o.Start.UTC().Format(time.RFC3339))
			require.Equal(t, time.Hour, o.End.Sub(o.Start), "the length is time that passes, not what the clock shows")
			require.True(t, w.Contains(o.Start))
			require.False(t, w.Contains(o.Start.Add(-time.Second)))
		})
	}
}

func TestNext(t *testing.T) {
	sat := Window{Days: []string{"sat"}, Start: "22:00", Length: span(4 * time.Hour), Zone: "UTC"}
	sun := Window{Days: []string{"sun"}, Start: "02:00", Length: span(time.Hour), Zone: "UTC"}
	wed := Window{Days: []string{"wed"}, Start: "03:00", Length: span(time.Hour), Zone: "UTC"}
	all := []Window{sat, sun, wed}

	m := Next(all, at(t, "2026-11-20T12:00:00Z"))
	require.False(t, m.Open)
	require.Equal(t, "2026-11-21T22:00:00Z", m.Next.Start.Format(time.RFC3339))

	m = Next(all, at(t, "2026-11-21T23:00:00Z"))
	require.True(t, m.Open)
	require.Equal(t, 4*time.Hour, m.Remaining, "Sunday's window follows without a gap")
	require.Equal(t, "2026-11-25T03:00:00Z", m.Next.Start.Format(time.RFC3339))

	m = Next([]Window{sat}, at(t, "2026-11-22T02:00:00Z"))
	require.False(t, m.Open, "the end is not in the window")
	require.Equal(t, "2026-11-28T22:00:00Z", m.Next.Start.Format(time.RFC3339))

	always := Next(nil, at(t, "2026-11-22T02:00:00Z"))
	require.True(t, always.Always && always.Open)

	daily := Window{Days: weekdays(), Start: "00:00", Length: span(24 * time.Hour), Zone: "UTC"}
	m = Next([]Window{daily}, at(t, "2026-11-22T02:00:00Z"))
	require.True(t, m.Open)
	require.Greater(t, m.Remaining, 48*time.Hour)
	require.True(t, NextWindow(nil, time.Now()).End.IsZero())
}

func TestNextIsWhatContainsSays(t *testing.T) {
	windows := []Window{
		{Days: []string{"sat", "tue"}, Start: "23:30", Length: span(150 * time.Minute), Zone: "Europe/Berlin"},
		{Days: []string{"sun"}, Start: "02:30", Length: span(45 * time.Minute), Zone: "America/New_York"},
	}
	for now := at(t, "2026-03-01T00:07:00Z"); now.Before(at(t, "2026-04-12T00:00:00Z")); now = now.Add(31 * time.Minute) {
		m := Next(windows, now)
		require.Equal(t, windows[0].Contains(now) || windows[1].Contains(now), m.Open, now)
		if m.Open {
			require.False(t, Next(windows, now.Add(m.Remaining)).Open)
			require.True(t, Next(windows, now.Add(m.Remaining-time.Second)).Open)
		}
		require.True(t, m.Next.Start.After(now))
		require.True(t, m.Next.Window.Contains(m.Next.Start))
	}
}

func TestValidateMaintenance(t *testing.T) {
	w := func(change func(w *Window)) func(c *Cluster) {
		return func(c *Cluster) { change(&c.Maintenance.Windows[0]) }
	}
	mustSay(t, hostsFile, map[string]one{
		"none":        {func(c *Cluster) { c.Maintenance.Windows = nil }, "maintenance.windows: at least one is required"},
		"no days":     {w(func(w *Window) { w.Days = nil }), "windows[0].days: at least one is required"},
		"long day":    {w(func(w *Window) { w.Days = []string{"saturday"} }), "days[0]: saturday: must be one of sun, mon, tue, wed, thu, fri, sat (did you mean sat?)"},
		"day twice":   {w(func(w *Window) { w.Days = []string{"sat", "sat"} }), "is there twice"},
		"start":       {w(func(w *Window) { w.Start = "24:00" }), "start: 24:00: must be a time of day HH:MM"},
		"short start": {w(func(w *Window) { w.Start = "9:00" }), "start: 9:00"},
		"too long":    {w(func(w *Window) { w.Length = span(8 * 24 * time.Hour) }), "length: 192h: must be 1m to 7d"},
		"too short":   {w(func(w *Window) { w.Length = span(20 * time.Minute) }), "must be longer than maintenance.reserve, 20m"},
		"zone":        {w(func(w *Window) { w.Zone = "CEST+1" }), "zone: CEST+1: must be an IANA time zone"},
		"local zone":  {w(func(w *Window) { w.Zone = "Local" }), "zone: Local: must be an IANA time zone"},
		"path zone":   {w(func(w *Window) { w.Zone = "../../etc/passwd" }), "must be an IANA time zone"},
	})
}

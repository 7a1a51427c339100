package agent

import (
	"strconv"
	"time"
)

// units are the units of the real programs' durations, largest first.
var units = []struct {
	name string
	size time.Duration
}{
	{"weeks", 7 * 24 * time.Hour}, {"days", 24 * time.Hour}, {"hrs", time.Hour}, {"mins", time.Minute},
	{"secs", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}, {"ns", time.Nanosecond},
}

// parseDuration reads `10secs`, `1.5mins`; a number without a unit is refused as the real programs do.
func parseDuration(text string) (time.Duration, error) {
	for i, c := range text {
		if (c >= '0' && c <= '9') || c == '.' || c == '-' {
			continue
		}
		number, err := strconv.ParseFloat(text[:i], 64)
		if err != nil {
			return 0, words("Invalid duration '%s'", text)
		}
		for _, unit := range units {
			if unit.name == text[i:] {
				return time.Duration(number * float64(unit.size)), nil
			}
		}
		return 0, words("Unknown duration unit '%s'", text[i:])
	}
	return 0, words("Invalid duration '%s'", text)
}

// formatDuration writes a duration in its largest unit that gives at least 1: 15mins, 32secs, 1.5mins.
func formatDuration(d time.Duration) string {
	for _, unit := range units {
		if d >= unit.size {
			return strconv.FormatFloat(float64(d)/float64(unit.size), 'f', -1, 64) + unit.name
		}
	}
	return "0ns"
}

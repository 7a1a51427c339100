package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Calendar is the schedule as systemd's OnCalendar has it, and the time between two backups. Both are empty where there is none.
func (b *Backup) Calendar() (onCalendar string, period time.Duration, err error) {
	switch b.Schedule {
	case "", "off":
		return "", 0, nil
	case "hourly":
		return "hourly", time.Hour, nil
	}
	day, at, weekly := strings.Cut(b.Schedule, " ")
	if !weekly {
		at = day
	}
	if _, err := time.Parse("15:04", at); err != nil || len(at) != len("15:04") {
		return "", 0, fmt.Errorf("schedule %q: %q is no time HH:MM", b.Schedule, at)
	}
	if !weekly {
		return "*-*-* " + at + ":00", 24 * time.Hour, nil
	}
	if !slices.Contains(weekdays(), day) {
		return "", 0, fmt.Errorf("schedule %q: %q is no day", b.Schedule, day)
	}
	return strings.ToUpper(day[:1]) + day[1:] + " *-*-* " + at + ":00", 7 * 24 * time.Hour, nil
}

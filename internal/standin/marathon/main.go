// Package marathon is the stand-in for Marathon.
package marathon

// Main runs marathon with the real program's flags and returns its exit code.
func Main(args []string) int { panic("in work") }

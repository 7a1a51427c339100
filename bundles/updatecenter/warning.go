package updatecenter

import (
	"time"

	"github.com/dlclark/regexp2"
)

// matchLimit ends a pattern that would be tried for ever.
const matchLimit = 5 * time.Second

// Concerns says whether the warning is about the version, as Jenkins decides: one of the patterns matches all of it. A pattern that
// cannot be judged counts as a match.
func (w Warning) Concerns(version string) bool {
	for _, pattern := range w.Patterns {
		// Some patterns look ahead, (?!2.0.1.2)..., which the standard library's expressions cannot.
		expression, err := regexp2.Compile(`\A(?:`+pattern+`)\z`, regexp2.None)
		if err != nil {
			return true
		}
		expression.MatchTimeout = matchLimit
		if matched, err := expression.MatchString(version); matched || err != nil {
			return true
		}
	}
	return false
}

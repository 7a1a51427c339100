// Package edition lets a stand-in say that it is another version, so that an upgrade from one to another can be tried.
package edition

import "os"

// Variable is the variable of the environment that has the version.
const Variable = "JOMCTL_STANDIN_VERSION"

// Version is what the environment says, else the version whose behaviour was recorded.
func Version(recorded string) string {
	if version := os.Getenv(Variable); version != "" {
		return version
	}
	return recorded
}

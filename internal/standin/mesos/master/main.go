// Package master is the stand-in for mesos-master.
package master

// Main runs mesos-master with the real program's flags and returns its exit code.
func Main(args []string) int { panic("in work") }

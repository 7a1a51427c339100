// Package agent is the stand-in for mesos-agent.
package agent

// Main runs mesos-agent with the real program's flags and returns its exit code.
func Main(args []string) int { panic("in work") }

// ExecutorMain runs one command task under its own process, so that it outlives the agent, and returns the exit code.
func ExecutorMain(args []string) int { panic("in work") }

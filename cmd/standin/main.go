// Command standin is the stand-in for mesos-master, mesos-agent, marathon or jenkins, chosen by the name it is called by
// or by its first argument.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/jomctl/jomctl/internal/standin/jenkins"
	"github.com/jomctl/jomctl/internal/standin/marathon"
	"github.com/jomctl/jomctl/internal/standin/mesos/agent"
	"github.com/jomctl/jomctl/internal/standin/mesos/master"
)

var programs = map[string]func(args []string) int{
	"mesos-master":   master.Main,
	"mesos-agent":    agent.Main,
	"mesos-executor": agent.ExecutorMain,
	"marathon":       marathon.Main,
	"jenkins":        jenkins.Main,
	// Build agents are started by the plugin's own command line, which begins with `java`.
	"java": jenkins.JavaMain,
}

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if programs[name] == nil && len(args) > 0 {
		name, args = args[0], args[1:]
	}
	run := programs[name]
	if run == nil {
		fmt.Fprintln(os.Stderr, "usage: standin mesos-master|mesos-agent|marathon|jenkins [FLAGS]")
		os.Exit(2)
	}
	os.Exit(run(args))
}

// Package jenkins is the stand-in for the Jenkins controller, its Mesos cloud and its build agents.
package jenkins

// Main runs the controller with the arguments of `java -jar jenkins.war` and returns its exit code.
func Main(args []string) int { panic("in work") }

// JavaMain stands where build agents look for java: it runs the stand-in's agent.jar itself, and hands any other
// command line to the real java further down the PATH.
func JavaMain(args []string) int { panic("in work") }

package contract

import "testing"

// StartCluster starts one master that leads alone and two agents with fixed resources, and waits until all is ready.
func StartCluster(t *testing.T, launcher Launcher, masterFlags ...string) Target {
	t.Helper()
	master := launcher.StartMaster(t, masterFlags...)
	Ready(t, master.URL)
	first := launcher.StartAgent(t, "--master="+address(master), "--attributes=rack:a;zone:z1", "--resources=cpus:2;mem:2048;disk:4096;ports:[31000-31099]")
	second := launcher.StartAgent(t, "--master="+address(master), "--attributes=rack:b;zone:z1", "--resources=cpus:2;mem:1024;disk:4096;ports:[31000-32000]")
	AgentsActive(t, master.URL, 2)
	return Target{Masters: []string{master.URL}, Agents: []string{first.URL, second.URL}}
}

// address is the program's host:port.
func address(p *Process) string { return p.URL[len("http://"):] }

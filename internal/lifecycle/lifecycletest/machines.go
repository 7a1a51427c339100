package lifecycletest

import "github.com/jomctl/jomctl/provision/terraform"

// OnMachines is the text of a cluster file whose machines Terraform makes: by default those of ThreeMachines.
const OnMachines = "apiVersion: jomctl/v1\nname: ci\ntarget: docker\n"

// Machine is one that Terraform has made.
func Machine(name, address string, roles ...string) terraform.Host {
	return terraform.Host{Name: name, Address: address, Roles: roles, User: "admin", Port: 22}
}

// ThreeMachines are control host m1 at 10.0.0.11 and Mesos agents a1 and a2 after it, as Terraform tells them.
func ThreeMachines() []terraform.Host {
	return []terraform.Host{Machine("m1", "10.0.0.11", "control"), Machine("a1", "10.0.0.12", "mesos-agent"), Machine("a2", "10.0.0.13", "mesos-agent")}
}

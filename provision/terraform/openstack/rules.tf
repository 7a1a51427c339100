# Which role may reach which port of which role. The same file in every cloud; a test holds the copies equal. Everything else is
# closed; out of the hosts everything is open, since packages and images are fetched from anywhere.

locals {
  # Within the cluster: the role that listens, the role that connects, first and last port.
  internal_rules = {
    zookeeper-control     = { to = "control", from = "control", first = 2181, last = 2181 }
    zookeeper-agents      = { to = "control", from = "mesos-agent", first = 2181, last = 2181 }
    zookeeper-quorum      = { to = "control", from = "control", first = 2888, last = 2888 }
    zookeeper-election    = { to = "control", from = "control", first = 3888, last = 3888 }
    master-control        = { to = "control", from = "control", first = 5050, last = 5050 }
    master-agents         = { to = "control", from = "mesos-agent", first = 5050, last = 5050 }
    marathon-edge         = { to = "control", from = "control", first = 8090, last = 8090 }
    marathon-libprocess   = { to = "control", from = "control", first = 8092, last = 8092 }
    edge-control          = { to = "control", from = "control", first = 8080, last = 8080 }
    edge-agents           = { to = "control", from = "mesos-agent", first = 8080, last = 8080 }
    edge-master-control   = { to = "control", from = "control", first = 5055, last = 5055 }
    edge-master-agents    = { to = "control", from = "mesos-agent", first = 5055, last = 5055 }
    edge-marathon-control = { to = "control", from = "control", first = 8091, last = 8091 }
    edge-marathon-agents  = { to = "control", from = "mesos-agent", first = 8091, last = 8091 }
    edge-inbound-agents   = { to = "control", from = "mesos-agent", first = 50000, last = 50000 }
    registry-control      = { to = "control", from = "control", first = 5000, last = 5000 }
    registry-agents       = { to = "control", from = "mesos-agent", first = 5000, last = 5000 }
    agent-masters         = { to = "mesos-agent", from = "control", first = 5051, last = 5051 }
    # The controller is a task with fixed ports, which the edge leads to.
    controller-edge         = { to = "mesos-agent", from = "control", first = 8080, last = 8080 }
    controller-owner        = { to = "mesos-agent", from = "control", first = 8093, last = 8093 }
    controller-inbound-edge = { to = "mesos-agent", from = "control", first = 50000, last = 50000 }
    tasks-control           = { to = "mesos-agent", from = "control", first = var.task_ports.from, last = var.task_ports.to }
    tasks-agents            = { to = "mesos-agent", from = "mesos-agent", first = var.task_ports.from, last = var.task_ports.to }
  }

  # From admin_cidrs: SSH on every host, the edge and the registry on control hosts.
  admin_ports = {
    ssh-control   = { to = "control", port = 22 }
    ssh-agent     = { to = "mesos-agent", port = 22 }
    edge          = { to = "control", port = 8080 }
    edge-master   = { to = "control", port = 5055 }
    edge-marathon = { to = "control", port = 8091 }
    edge-inbound  = { to = "control", port = 50000 }
    registry      = { to = "control", port = 5000 }
  }
  admin_rules = merge([for cidr in var.admin_cidrs : {
    for name, rule in local.admin_ports : "${name}-${cidr}" => merge(rule, { cidr = cidr })
  }]...)
}

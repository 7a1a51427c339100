# The inputs are the same in every target; a test holds them equal.

variable "cluster" {
  description = "Name of the cluster, a DNS label. Prefixes everything that is made."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$", var.cluster))
    error_message = "cluster must be a DNS label of at most 32 characters."
  }
}

variable "hosts" {
  description = "The machines. number is a host's place in the network, from 1 and kept for its life, so that no host moves when another goes. roles: control, mesos-agent."
  type = list(object({
    name       = string
    number     = number
    roles      = list(string)
    attributes = optional(map(string), {})
  }))
  validation {
    condition     = length(var.hosts) > 0 && length(distinct(var.hosts[*].name)) == length(var.hosts) && length(distinct(var.hosts[*].number)) == length(var.hosts)
    error_message = "hosts must not be empty, and every name and every number may be used once."
  }
  validation {
    condition     = alltrue([for h in var.hosts : h.number >= 1 && h.number <= 200 && floor(h.number) == h.number])
    error_message = "hosts[].number must be a whole number from 1 to 200."
  }
  validation {
    condition     = alltrue([for h in var.hosts : can(regex("^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$", h.name))])
    error_message = "hosts[].name must be a DNS label of at most 32 characters."
  }
  validation {
    condition     = alltrue(flatten([for h in var.hosts : [for r in h.roles : contains(["control", "mesos-agent"], r)]]))
    error_message = "hosts[].roles may be control and mesos-agent."
  }
}

variable "ssh_public_key" {
  description = "Public SSH key that may log in, one line as in authorized_keys."
  type        = string
  validation {
    condition     = can(regex("^(ssh-|ecdsa-|sk-)[^ ]+ [A-Za-z0-9+/=]+", var.ssh_public_key))
    error_message = "ssh_public_key must be one line of a public key (id_ed25519.pub), never a private one."
  }
}

variable "ssh_user" {
  description = "Account to log in with; empty means the image's own (docker and aws: admin, openstack: debian)."
  type        = string
  default     = ""
}

variable "cidr" {
  description = "Private network of the hosts, /24 or larger. A host gets the address number + 10 in it."
  type        = string
  default     = "10.77.0.0/24"
  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]), 32) <= 24 && try(tonumber(split("/", var.cidr)[1]), 0) >= 16
    error_message = "cidr must be an IPv4 network between /16 and /24, for example 10.77.0.0/24."
  }
}

variable "admin_cidrs" {
  description = "Networks that may reach SSH, the edge and the registry from outside. docker: not used, its network is on this machine alone."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for c in var.admin_cidrs : can(cidrhost(c, 0))])
    error_message = "admin_cidrs must be networks such as 198.51.100.7/32."
  }
}

variable "task_ports" {
  description = "Ports of Mesos tasks, first and last."
  type        = object({ from = number, to = number })
  default     = { from = 31000, to = 32000 }
  validation {
    condition     = var.task_ports.from >= 1024 && var.task_ports.to >= var.task_ports.from && var.task_ports.to <= 65535
    error_message = "task_ports must be from <= to within 1024 and 65535."
  }
}

variable "image" {
  description = "What the machines boot; empty means the target's default. docker: an image with systemd and sshd (scripts/lab-image.sh), aws: an AMI, openstack: the name of an image."
  type        = string
  default     = ""
}

variable "flavor" {
  description = "Size of the machines; empty means the target's default. docker: CPUSxMEMORY such as 2x4g (default: no limit), aws: an instance type, openstack: a flavor."
  type        = string
  default     = ""
}

variable "disk_gib" {
  description = "Size of the root disk in GiB. docker: not used, containers share the engine's disk."
  type        = number
  default     = 40
}

variable "region" {
  description = "Region; empty means that of the account's configuration. docker: must be empty."
  type        = string
  default     = ""
}

variable "options" {
  description = "What only one target knows. docker: apt_cache (URL). aws: zones (comma separated). openstack: external_network (for floating addresses)."
  type        = map(string)
  default     = {}
}

# A lab: containers that behave as machines, with systemd as process 1, sshd and a disk of their own for Docker. Built in resources
# only, so no provider has to be downloaded: docker is run through scripts that may be repeated, tell what failed, and leave
# nothing behind when they fail.

terraform {
  required_version = ">= 1.5.0"
}

locals {
  user  = var.ssh_user != "" ? var.ssh_user : "admin"
  image = var.image != "" ? var.image : "jomctl-lab:bookworm"
  hosts = { for h in var.hosts : h.name => merge(h, { address = cidrhost(var.cidr, h.number + 10) }) }
}

# Whose state this is: jomctl refuses to change another cluster's. Made first and removed last.
resource "terraform_data" "identity" {
  input = {
    cluster = var.cluster
    target  = "docker"
    layout  = 1
  }
}

resource "terraform_data" "network" {
  depends_on = [terraform_data.identity]

  triggers_replace = {
    cluster = var.cluster
    cidr    = var.cidr
  }

  lifecycle {
    precondition {
      condition     = var.region == ""
      error_message = "region must be empty for docker; another engine is chosen with the environment variable DOCKER_HOST."
    }
    precondition {
      condition     = length(setsubtract(keys(var.options), ["apt_cache"])) == 0
      error_message = "options of docker may have apt_cache only."
    }
    precondition {
      condition     = can(regex("^([0-9.]+x[0-9]+[mg])?$", var.flavor))
      error_message = "flavor of docker must be CPUSxMEMORY such as 2x4g, or empty."
    }
  }

  provisioner "local-exec" {
    interpreter = ["/bin/bash"]
    command     = "${path.module}/network.sh"
    environment = {
      ACTION  = "create"
      CLUSTER = self.triggers_replace.cluster
      CIDR    = self.triggers_replace.cidr
    }
  }

  provisioner "local-exec" {
    when        = destroy
    interpreter = ["/bin/bash"]
    command     = "${path.module}/network.sh"
    environment = {
      ACTION  = "destroy"
      CLUSTER = self.triggers_replace.cluster
      CIDR    = self.triggers_replace.cidr
    }
  }
}

resource "terraform_data" "host" {
  for_each = local.hosts

  # Only what a container cannot change while it lives: roles and attributes are no reason to make a host anew.
  triggers_replace = {
    cluster = var.cluster
    network = terraform_data.network.id
    name    = each.key
    address = each.value.address
    image   = local.image
    flavor  = var.flavor
  }
  # What reaches new hosts only.
  input = {
    key   = trimspace(var.ssh_public_key)
    cache = lookup(var.options, "apt_cache", "")
  }

  provisioner "local-exec" {
    interpreter = ["/bin/bash"]
    command     = "${path.module}/host.sh"
    environment = {
      ACTION  = "create"
      CLUSTER = self.triggers_replace.cluster
      NAME    = self.triggers_replace.name
      ADDRESS = self.triggers_replace.address
      IMAGE   = self.triggers_replace.image
      FLAVOR  = self.triggers_replace.flavor
      KEY     = self.input.key
      CACHE   = self.input.cache
    }
  }

  provisioner "local-exec" {
    when        = destroy
    interpreter = ["/bin/bash"]
    command     = "${path.module}/host.sh"
    environment = {
      ACTION  = "destroy"
      CLUSTER = self.triggers_replace.cluster
      NAME    = self.triggers_replace.name
    }
  }
}

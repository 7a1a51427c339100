# Instances in a network of their own. Validated and planned with the providers 1.54 and 3.4.

# Whose state this is: jomctl refuses to change another cluster's. Made first and removed last.
resource "terraform_data" "identity" {
  input = {
    cluster = var.cluster
    target  = "openstack"
    layout  = 1
  }

  lifecycle {
    precondition {
      condition     = length(var.admin_cidrs) > 0
      error_message = "admin_cidrs must name at least one network, such as your own address with /32: without one nobody reaches the hosts by SSH."
    }
    precondition {
      condition     = length(setsubtract(keys(var.options), ["external_network"])) == 0
      error_message = "options of openstack may have external_network only."
    }
    precondition {
      condition     = local.external != ""
      error_message = "options.external_network must name the network of floating addresses: hosts fetch packages through it."
    }
  }
}

data "openstack_images_image_v2" "host" {
  name        = local.image
  most_recent = true
}

data "openstack_networking_network_v2" "external" {
  name     = local.external
  external = true
}

resource "openstack_networking_network_v2" "cluster" {
  name           = var.cluster
  admin_state_up = true

  depends_on = [terraform_data.identity]
}

resource "openstack_networking_subnet_v2" "cluster" {
  name       = var.cluster
  network_id = openstack_networking_network_v2.cluster.id
  cidr       = var.cidr
  ip_version = 4
}

resource "openstack_networking_router_v2" "cluster" {
  name                = var.cluster
  admin_state_up      = true
  external_network_id = data.openstack_networking_network_v2.external.id
}

resource "openstack_networking_router_interface_v2" "cluster" {
  router_id = openstack_networking_router_v2.cluster.id
  subnet_id = openstack_networking_subnet_v2.cluster.id
}

resource "openstack_networking_secgroup_v2" "role" {
  for_each    = toset(["control", "mesos-agent"])
  name        = "${var.cluster}-${each.key}"
  description = "${each.key} hosts of ${var.cluster}"

  depends_on = [terraform_data.identity]
}

resource "openstack_networking_secgroup_rule_v2" "internal" {
  for_each          = local.internal_rules
  description       = each.key
  security_group_id = openstack_networking_secgroup_v2.role[each.value.to].id
  remote_group_id   = openstack_networking_secgroup_v2.role[each.value.from].id
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = each.value.first
  port_range_max    = each.value.last
}

resource "openstack_networking_secgroup_rule_v2" "admin" {
  for_each          = local.admin_rules
  description       = each.key
  security_group_id = openstack_networking_secgroup_v2.role[each.value.to].id
  remote_ip_prefix  = each.value.cidr
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = each.value.port
  port_range_max    = each.value.port
}

resource "openstack_networking_port_v2" "host" {
  for_each           = local.hosts
  name               = "${var.cluster}-${each.key}"
  network_id         = openstack_networking_network_v2.cluster.id
  admin_state_up     = true
  security_group_ids = [for role in each.value.roles : openstack_networking_secgroup_v2.role[role].id]

  fixed_ip {
    subnet_id  = openstack_networking_subnet_v2.cluster.id
    ip_address = each.value.address
  }
}

resource "openstack_networking_floatingip_v2" "host" {
  for_each = local.hosts
  pool     = data.openstack_networking_network_v2.external.name
  port_id  = openstack_networking_port_v2.host[each.key].id

  depends_on = [openstack_networking_router_interface_v2.cluster]
}

resource "openstack_compute_instance_v2" "host" {
  for_each    = local.hosts
  name        = "${var.cluster}-${each.key}"
  flavor_name = local.flavor
  user_data   = each.value.user_data
  metadata    = { jomctl-cluster = var.cluster }

  network {
    port = openstack_networking_port_v2.host[each.key].id
  }

  block_device {
    uuid                  = data.openstack_images_image_v2.host.id
    source_type           = "image"
    destination_type      = "volume"
    volume_size           = var.disk_gib
    boot_index            = 0
    delete_on_termination = true
  }

  # A newer image or another key is for new hosts, no reason to throw a running one away.
  lifecycle {
    ignore_changes = [block_device, user_data]
  }

  depends_on = [openstack_networking_router_interface_v2.cluster]
}

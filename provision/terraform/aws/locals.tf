# What follows from the inputs alone, so that it can be tested without the provider. local.zones is in main.tf.

locals {
  user   = var.ssh_user != "" ? var.ssh_user : "admin"
  flavor = var.flavor != "" ? var.flavor : "m6i.xlarge"

  subnets = { for i, zone in local.zones : zone => length(local.zones) == 1 ? var.cidr : cidrsubnet(var.cidr, 2, i) }
  # A host's zone and address follow from its number alone, so none moves when another comes or goes.
  hosts = { for h in var.hosts : h.name => merge(h, {
    zone    = local.zones[h.number % length(local.zones)]
    address = cidrhost(local.subnets[local.zones[h.number % length(local.zones)]], floor(h.number / length(local.zones)) + 10)
    user_data = templatefile("${path.module}/cloud-init.yaml.tftpl", {
      name = h.name
      user = local.user
      key  = trimspace(var.ssh_public_key)
    })
  }) }
}

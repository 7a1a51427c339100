# What follows from the inputs alone, so that it can be tested without the provider.

locals {
  user     = var.ssh_user != "" ? var.ssh_user : "debian"
  flavor   = var.flavor != "" ? var.flavor : "m1.xlarge"
  image    = var.image != "" ? var.image : "debian-12"
  external = lookup(var.options, "external_network", "")

  hosts = { for h in var.hosts : h.name => merge(h, {
    address = cidrhost(var.cidr, h.number + 10)
    user_data = templatefile("${path.module}/cloud-init.yaml.tftpl", {
      name = h.name
      user = local.user
      key  = trimspace(var.ssh_public_key)
    })
  }) }
}

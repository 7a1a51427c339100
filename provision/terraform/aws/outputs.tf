output "inventory" {
  description = "The machines that were made, in the order of hosts. address is where the cluster's own traffic goes; ssh_address is set where SSH from outside needs another one."
  value = [for h in var.hosts : {
    name        = h.name
    number      = h.number
    address     = local.hosts[h.name].address
    ssh_address = aws_instance.host[h.name].public_ip
    roles       = h.roles
    attributes  = h.attributes
    user        = local.user
    port        = 22
  }]
}

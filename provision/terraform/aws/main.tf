# Instances in a network of their own. Validated and planned with the provider 6.47.

# Whose state this is: jomctl refuses to change another cluster's. Made first and removed last.
resource "terraform_data" "identity" {
  input = {
    cluster = var.cluster
    target  = "aws"
    layout  = 1
  }

  lifecycle {
    precondition {
      condition     = length(var.admin_cidrs) > 0
      error_message = "admin_cidrs must name at least one network, such as your own address with /32: without one nobody reaches the hosts by SSH."
    }
    precondition {
      condition     = length(setsubtract(keys(var.options), ["zones"])) == 0
      error_message = "options of aws may have zones only."
    }
    precondition {
      condition     = length(local.zones) <= 4
      error_message = "options.zones may name up to four zones."
    }
  }
}

data "aws_availability_zones" "available" {
  count = lookup(var.options, "zones", "") == "" ? 1 : 0
  state = "available"
}

data "aws_ami" "debian" {
  count       = var.image == "" ? 1 : 0
  most_recent = true
  owners      = ["136693071363"] # Debian: https://wiki.debian.org/Cloud/AmazonEC2Image

  filter {
    name   = "name"
    values = ["debian-12-amd64-*"]
  }
}

locals {
  zones = lookup(var.options, "zones", "") != "" ? split(",", var.options.zones) : slice(data.aws_availability_zones.available[0].names, 0, 1)
}

resource "aws_vpc" "cluster" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  tags                 = { Name = var.cluster }

  depends_on = [terraform_data.identity]
}

resource "aws_internet_gateway" "cluster" {
  vpc_id = aws_vpc.cluster.id
  tags   = { Name = var.cluster }
}

resource "aws_subnet" "zone" {
  for_each          = local.subnets
  vpc_id            = aws_vpc.cluster.id
  cidr_block        = each.value
  availability_zone = each.key
  tags              = { Name = "${var.cluster}-${each.key}" }
}

resource "aws_route_table" "cluster" {
  vpc_id = aws_vpc.cluster.id
  tags   = { Name = var.cluster }

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.cluster.id
  }
}

resource "aws_route_table_association" "zone" {
  for_each       = aws_subnet.zone
  subnet_id      = each.value.id
  route_table_id = aws_route_table.cluster.id
}

resource "aws_security_group" "role" {
  for_each    = toset(["control", "mesos-agent"])
  name        = "${var.cluster}-${each.key}"
  description = "${each.key} hosts of ${var.cluster}"
  vpc_id      = aws_vpc.cluster.id
  tags        = { Name = "${var.cluster}-${each.key}" }
}

resource "aws_vpc_security_group_egress_rule" "all" {
  for_each          = aws_security_group.role
  security_group_id = each.value.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_vpc_security_group_ingress_rule" "internal" {
  for_each                     = local.internal_rules
  description                  = each.key
  security_group_id            = aws_security_group.role[each.value.to].id
  referenced_security_group_id = aws_security_group.role[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.first
  to_port                      = each.value.last
}

resource "aws_vpc_security_group_ingress_rule" "admin" {
  for_each          = local.admin_rules
  description       = each.key
  security_group_id = aws_security_group.role[each.value.to].id
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_instance" "host" {
  for_each                    = local.hosts
  ami                         = var.image != "" ? var.image : data.aws_ami.debian[0].id
  instance_type               = local.flavor
  subnet_id                   = aws_subnet.zone[each.value.zone].id
  private_ip                  = each.value.address
  associate_public_ip_address = true
  vpc_security_group_ids      = [for role in each.value.roles : aws_security_group.role[role].id]
  user_data                   = each.value.user_data
  tags                        = { Name = "${var.cluster}-${each.key}" }
  volume_tags                 = { Name = "${var.cluster}-${each.key}" }

  root_block_device {
    volume_type = "gp3"
    volume_size = var.disk_gib
    encrypted   = true
  }

  # Builds must not read the instance's credentials: a token is wanted, and it does not pass the hop into a container.
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  # A newer image or another key is for new hosts, no reason to throw a running one away.
  lifecycle {
    ignore_changes = [ami, user_data]
  }

  depends_on = [aws_route_table_association.zone]
}

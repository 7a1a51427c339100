terraform {
  required_version = ">= 1.5.0"
  required_providers {
    openstack = {
      source  = "terraform-provider-openstack/openstack"
      version = ">= 1.54.1, < 4.0.0"
    }
  }
}

# Credentials come from the environment (OS_*) or clouds.yaml, never from a variable, so none reaches the state.
provider "openstack" {
  region = var.region != "" ? var.region : null
}

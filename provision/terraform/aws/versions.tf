terraform {
  required_version = ">= 1.5.0"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.47.0, < 7.0.0"
    }
  }
}

# Credentials come from the environment or ~/.aws, never from a variable, so none reaches the state.
provider "aws" {
  region = var.region != "" ? var.region : null
  default_tags {
    tags = { "org.jomctl.cluster" = var.cluster }
  }
}

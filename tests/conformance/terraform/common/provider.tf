terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60"
    }
  }
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true

  endpoints {
    acm          = var.endpoint
    apigateway   = var.endpoint
    apigatewayv2 = var.endpoint
    ec2          = var.endpoint
    elbv2        = var.endpoint
    iam          = var.endpoint
    logs         = var.endpoint
    sts          = var.endpoint
  }

  default_tags {
    tags = { Example = var.name }
  }
}

variable "endpoint" {
  type = string
}

variable "name" {
  type    = string
  default = "ex-module"
}

variable "certificate" {
  description = "Path of a certificate and its key, without .crt and .key."
  type        = string
  default     = ""
}

data "aws_availability_zones" "available" {}

data "aws_region" "current" {}

locals {
  azs = slice(data.aws_availability_zones.available.names, 0, 3)
}

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60"
    }
  }
}

# Every service of the stack at one endpoint. Remove the endpoints, the credentials and the skip_ flags to use AWS itself.
provider "aws" {
  region                      = var.region
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true

  endpoints {
    acm          = var.endpoint
    apigatewayv2 = var.endpoint
    ec2          = var.endpoint
    elbv2        = var.endpoint
    iam          = var.endpoint
    logs         = var.endpoint
    sts          = var.endpoint
  }

  default_tags {
    tags = {
      Stack    = var.name
      Revision = tostring(var.revision)
    }
  }
}

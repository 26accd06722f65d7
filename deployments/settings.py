"""What `deployments.bootstrap` needs to know of where runs are started and who hears of failed ones."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class DeploymentSettings(BaseSettings):
    """Reads WHARF_WORK_POOL_TYPE, WHARF_IMAGE and so on from the environment or `.env`."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    work_pool_type: Literal["process", "docker", "kubernetes"] = Field(
        default="process", validation_alias="WHARF_WORK_POOL_TYPE"
    )
    operator_webhook: SecretStr | None = Field(default=None, validation_alias="WHARF_OPERATOR_WEBHOOK")
    accounts_file: Path = Field(default=Path("accounts.toml"), validation_alias="WHARF_ACCOUNTS_FILE")
    # What a container for each run is made from (docker, kubernetes), and where Docker puts it
    image: str = Field(default="wharf:latest", validation_alias="WHARF_IMAGE")
    docker_network: str = Field(default="wharf_default", validation_alias="WHARF_DOCKER_NETWORK")
    docker_volume: str = Field(default="wharf_wharf-home", validation_alias="WHARF_DOCKER_VOLUME")
